// The language select of a page.

import { currentLanguage, setLanguage, setWords } from "./words.js";

/** Set the words, and call `show` whenever the reader picks another language. */
export function offerLanguages(words, show) {
  const select = document.getElementById("language");
  setWords(words, document.documentElement.lang);
  select.value = currentLanguage();
  select.addEventListener("change", () => {
    setLanguage(select.value);
    history.replaceState(null, "", `?lang=${currentLanguage()}`);
    show();
  });
}
