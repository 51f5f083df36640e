// Receive the state by server-sent events, and detect when updates stop.

/**
 * Follow the stream. `onState` receives each state. `onBreak` is called when the connection ends or
 * when no state arrives for `timeout` ms.
 */
export function follow(onState, onBreak, timeout) {
  let source = null;
  let lastReceived = performance.now();

  function open() {
    source?.close();
    lastReceived = performance.now();
    source = new EventSource("/stream");
    source.addEventListener("state", (event) => {
      lastReceived = performance.now();
      onState(JSON.parse(event.data));
    });
    // EventSource reconnects by itself unless the server refused; the interval below handles that.
    source.addEventListener("error", onBreak);
  }

  open();
  setInterval(() => {
    if (performance.now() - lastReceived > timeout) {
      onBreak();
      open();
    }
  }, 1000);
}
