/** What a service says of itself, fit for a message: one line, without what differs each time, without credentials. */

const MAX_TEXT = 300;

/** Control characters and line ends become blanks: a message is one line, whatever a key or a service says. */
export const oneLine = (text: string): string => text.replace(/[\p{Cc}\u2028\u2029]+/gu, ' ');

/**
 * The service's words without request ids and times, so that equal failures have equal messages and events aggregate,
 * and without anything that could be a credential.
 */
export function serviceWords(message: string): string {
  const text = oneLine(message)
    .replace(/[\s.,;(]*\b(?:trace|request|correlation)[\s_-]?id:?\s*"?[\w-]+"?\)?/gi, '')
    .replace(/[\s.,;(]*\btimestamp:?\s*[\d-]+[T ][\d:.]+Z?\)?/gi, '')
    .replace(/\beyJ[\w-]+\.[\w-]+(?:\.[\w-]*)?/g, '[redacted]')
    .replace(/\b(?:ya29\.[\w.-]+|gh[a-z]_\w+|AKIA[A-Z0-9]{12,}|ASIA[A-Z0-9]{12,})/g, '[redacted]')
    .replace(/\bbearer\s+[\w.~+/-]+=*/gi, 'Bearer [redacted]')
    .trim();
  return text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}...` : text;
}
