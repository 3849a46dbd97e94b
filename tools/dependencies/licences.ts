/** Licences as SPDX expressions, as far as packages of npm use them: names, OR, AND, parentheses. */
import { ALLOWED_LICENCES } from './reasons.ts';

/** True if the expression can be met by licences that we take. */
export function isAllowed(expression: string, allowed: ReadonlySet<string> = ALLOWED_LICENCES): boolean {
  const words = expression.match(/[()]|[^\s()]+/g) ?? [];
  let at = 0;
  const either = (): boolean => {
    let holds = both();
    while (words[at]?.toUpperCase() === 'OR') {
      at += 1;
      holds = both() || holds;
    }
    return holds;
  };
  const both = (): boolean => {
    let holds = one();
    while (words[at]?.toUpperCase() === 'AND') {
      at += 1;
      holds = one() && holds;
    }
    return holds;
  };
  const one = (): boolean => {
    const word = words[at];
    at += 1;
    if (word !== '(') return word !== undefined && allowed.has(word);
    const holds = either();
    if (words[at] !== ')') return false;
    at += 1;
    return holds;
  };
  return either() && at === words.length;
}
