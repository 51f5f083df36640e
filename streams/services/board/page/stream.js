// The state, again and again, by server-sent events; and whether it still comes.

/**
 * Follow the stream for ever. `onState` gets each state; `onBreak` is called when there is reason to
 * believe that none comes any more: the connection ended, or nothing came for `patience` ms.
 */
export function follow(onState, onBreak, patience) {
  let source = null;
  let heard = performance.now();

  function open() {
    source?.close();
    heard = performance.now();
    source = new EventSource("/stream");
    source.addEventListener("state", (event) => {
      heard = performance.now();
      onState(JSON.parse(event.data));
    });
    // It tries again by itself, unless it was refused; then the watch below does.
    source.addEventListener("error", onBreak);
  }

  open();
  setInterval(() => {
    if (performance.now() - heard > patience) {
      onBreak();
      open();
    }
  }, 1000);
}
