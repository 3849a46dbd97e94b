/** How the hooks put into one line what both of them may have to say. */
import { MAX_WARNING, shorten, shortenFront } from './admission.ts';

/** Of the characters of a warning, so that the cause has room. */
const MAX_TARGET = 40;

/** What is left of the path of a field if the cause needs the room, enough for `spec.secretStoreRef.name`. */
const MIN_PATH = 28;

/** A warning whose cause comes last: if it is too long, the beginning of the cause goes. */
const causeLast = (head: string, cause: string): string =>
  head + shortenFront(cause, MAX_WARNING - head.length);

/** @param target the Secret as `namespace/name` */
export const notMadeYet = (target: string, cause: string): string =>
  causeLast(`Secret ${shorten(target, MAX_TARGET)} is not made yet, retrying: `, cause);

/** The last fields of a path, as many as there is room for. */
function lastFields(path: string, room: number): string {
  if (path.length <= room) return path;
  const tail = path.slice(3 - room);
  return `...${tail.slice(tail.indexOf('.') + 1)}`;
}

/** The field and what is wrong with it: what is too long is first taken off the beginning of the path. */
export function fieldAndCause(path: string, cause: string): string {
  const room = Math.max(MIN_PATH, MAX_WARNING - cause.length - 2);
  return causeLast(`${lastFields(path, room)}: `, cause);
}
