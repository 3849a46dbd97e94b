/** How the hooks put into one line what both of them may have to say. */
import { MAX_WARNING, shorten, shortenFront } from './admission.ts';

/** Of the characters of a warning, so that the cause has room. */
const MAX_TARGET = 40;

/** A warning whose cause comes last: if it is too long, the beginning of the cause goes. */
export const causeLast = (head: string, cause: string): string =>
  head + shortenFront(cause, MAX_WARNING - head.length);

/** @param target the Secret as `namespace/name` */
export const notMadeYet = (target: string, cause: string): string =>
  causeLast(`Secret ${shorten(target, MAX_TARGET)} is not made yet, retrying: `, cause);
