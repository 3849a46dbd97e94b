/** What can be said about a template without running it, beyond what its parser refuses. */
import type { GoFunction } from './function.ts';
import type { CommandNode, ListNode, OperandNode, PipeNode, StatementNode } from './nodes.ts';
import type { Trees } from './parse.ts';

/** As much of a function as counts its arguments. */
type Signature = Pick<GoFunction, 'params' | 'variadic'>;

/** A call that fails whenever it is reached. */
export interface CallProblem {
  /** In Go's words: `wrong number of args for trunc: want 2 got 1`. */
  readonly message: string;
  /** Byte offset of the function's name in the source. */
  readonly offset: number;
  readonly name: string;
}

/** Every call with a number of arguments that its function does not take, in the order of the source. */
export function callProblems(
  trees: Trees,
  signatureOf: (name: string) => Signature | undefined,
): CallProblem[] {
  const problems: CallProblem[] = [];
  const command = ({ args }: CommandNode, piped: boolean): void => {
    const [first, ...rest] = args;
    for (const operand of args) operandCalls(operand);
    if (first?.kind !== 'identifier') return;
    const called = signatureOf(first.name);
    const got = rest.length + (piped ? 1 : 0);
    const wrong = called === undefined ? undefined : wrongCount(first.name, called, got);
    if (wrong !== undefined) problems.push({ message: wrong, offset: first.position, name: first.name });
  };
  const pipe = ({ commands }: PipeNode): void => {
    for (const [index, one] of commands.entries()) command(one, index > 0);
  };
  const operandCalls = (operand: OperandNode): void => {
    if (operand.kind === 'pipe') pipe(operand);
    else if (operand.kind === 'chain') operandCalls(operand.operand);
  };
  const statement = (node: StatementNode): void => {
    if ('pipe' in node && node.pipe !== undefined) pipe(node.pipe);
    if ('list' in node) {
      list(node.list);
      if (node.elseList !== undefined) list(node.elseList);
    }
  };
  const list = ({ nodes }: ListNode): void => {
    for (const node of nodes) statement(node);
  };
  for (const tree of trees.values()) list(tree);
  return problems.sort((a, b) => a.offset - b.offset);
}

function wrongCount(name: string, { params, variadic }: Signature, got: number): string | undefined {
  const fixed = variadic === true ? params.length - 1 : params.length;
  if (variadic === true) {
    return got < fixed ? `wrong number of args for ${name}: want at least ${fixed} got ${got}` : undefined;
  }
  return got === fixed ? undefined : `wrong number of args for ${name}: want ${fixed} got ${got}`;
}
