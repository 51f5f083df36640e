// Words, numbers and times in the reader's language. The language select changes it.

let all = {};
let language = "en";
let formats = {};

/** Store the words of all languages and set the language. */
export function setWords(words, chosen) {
  all = words;
  setLanguage(chosen);
}

/** Set the language of the page and of all later texts. */
export function setLanguage(chosen) {
  language = chosen in all ? chosen : "en";
  const locale = { fr: "fr-BE", nl: "nl-BE", de: "de-BE", en: "en-GB" }[language];
  const zone = { timeZone: "Europe/Brussels" };
  formats = {
    number: new Intl.NumberFormat(locale),
    share: new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: 0 }),
    rate: new Intl.NumberFormat(locale, { maximumFractionDigits: 1 }),
    time: new Intl.DateTimeFormat(locale, { ...zone, timeStyle: "medium" }),
    hour: new Intl.DateTimeFormat(locale, { ...zone, hour: "2-digit", minute: "2-digit" }),
    date: new Intl.DateTimeFormat(locale, { dateStyle: "long", timeZone: "UTC" }),
    moment: new Intl.DateTimeFormat(locale, { ...zone, dateStyle: "long", timeStyle: "short" }),
    list: new Intl.ListFormat(locale),
    day: new Intl.DateTimeFormat(locale, { day: "numeric", month: "short", timeZone: "UTC" }),
  };
  document.documentElement.lang = language;
  for (const element of document.querySelectorAll("[data-word]")) {
    element.textContent = word(element.dataset.word);
  }
}

/** Return the current language. */
export const currentLanguage = () => language;

/** Return a text with its placeholders filled in. */
export function word(name, places = {}) {
  const text = all[language]?.[name] ?? name;
  return text.replace(/\{(\w+)\}/g, (_, place) => places[place] ?? "");
}

/** Return whether a text of this name exists. */
export const hasWord = (name) => name in (all[language] ?? {});

export const number = (value) => formats.number.format(value);
export const share = (value) => formats.share.format(value);
export const rate = (value) => formats.rate.format(value);
export const time = (iso) => formats.time.format(new Date(iso));
export const hour = (instant) => formats.hour.format(instant);
export const listed = (parts) => formats.list.format(parts);
export const moment = (iso) => ordinal(formats.moment.format(new Date(iso)));
export const date = (iso) => ordinal(formats.date.format(new Date(iso)));
export const day = (iso) => formats.day.format(new Date(iso));

/** Return a date whose first of a month is written as French requires; CLDR has no ordinal. */
const ordinal = (text) => (language === "fr" ? text.replace(/^1 /, "1er ") : text);

/** Return a duration in its largest suitable unit. */
export function age(seconds) {
  const [unit, n] =
    seconds < 120 ? ["s", seconds]
    : seconds < 7200 ? ["min", seconds / 60]
    : seconds < 172800 ? ["h", seconds / 3600]
    : ["d", seconds / 86400];
  return word(`age.${unit}`, { n: number(Math.floor(n)) });
}
