/** The evaluation of a parsed template, as Go's text/template does it with the option missingkey=error. */
import type { Budget } from './budget.ts';
import { TemplateError } from './errors.ts';
import { Evaluator, type Functions } from './evaluate.ts';
import { sprint } from './fmt.ts';
import { GoError } from './function.ts';
import {
  type BranchNode,
  type ListNode,
  nodeText,
  type PipeNode,
  type StatementNode,
  type TemplateNode,
} from './nodes.ts';
import { columnAt, type Trees } from './parse.ts';
import { quote } from './quote.ts';
import { inPlace, isTrue, printable, type Reference, typeName } from './reference.ts';
import { GoInt, GoMap, GoSlice, type GoValue, int, integer } from './value.ts';

export interface Program extends Functions {
  /** Of the template whose source this is. */
  readonly name: string;
  readonly source: string;
  readonly trees: Trees;
}

/** How much of a statement a message about the budget shows. */
const MAX_SHOWN = 60;

/** How a statement ended. */
type Outcome = 'done' | 'break' | 'continue';

/**
 * Runs the template of the program's own name.
 * @param data the root, `.` and `$`
 * @returns the output, a Go string
 * @throws TemplateError TEMPLATE_EXEC, TEMPLATE_BUDGET
 */
export function execute(program: Program, data: GoValue, budget: Budget): string {
  return new Execution(program, budget).run(data);
}

class Execution {
  readonly #program: Program;
  readonly #budget: Budget;
  readonly #output: string[] = [];
  readonly #evaluator: Evaluator;
  /** The name of the template that is being executed. */
  #executing: string;

  constructor(program: Program, budget: Budget) {
    this.#program = program;
    this.#budget = budget;
    this.#executing = program.name;
    this.#evaluator = new Evaluator(program, budget);
  }

  run(data: GoValue): string {
    const list = this.#program.trees.get(this.#program.name);
    this.#evaluator.variables = [{ name: '$', value: data }];
    try {
      if (list !== undefined) this.#list(data, list);
      return this.#output.join('');
    } catch (thrown) {
      throw this.#explain(thrown);
    }
  }

  /** What was thrown, with the place where it happened. */
  #explain(thrown: unknown): unknown {
    const { name, source } = this.#program;
    const { node } = this.#evaluator;
    const offset = node?.position ?? 0;
    const line = source.slice(0, offset).split('\n').length;
    const position = { name, line, column: columnAt(source, offset), offset };
    const at = node === undefined ? '' : nodeText(node);
    const say = (what: string, where: string = at): string =>
      `template: ${name}:${line}:${position.column}: executing ${quote(this.#executing)} at <${where}>: ${what}`;
    if (thrown instanceof GoError) {
      const [goText, message] = [say(thrown.goText), say(thrown.message)];
      return new TemplateError('TEMPLATE_EXEC', { phase: 'exec', goText, message, position });
    }
    const exhausted =
      thrown instanceof TemplateError && thrown.position === undefined
        ? thrown.goText.replace(/^template: /, '')
        : thrown instanceof RangeError
          ? 'needs more stack or memory than there is'
          : undefined;
    if (exhausted === undefined) return thrown;
    // The statement at fault may be a block with all that is in it.
    const shown = at.length > MAX_SHOWN ? `${at.slice(0, MAX_SHOWN)}...` : at;
    return new TemplateError('TEMPLATE_BUDGET', { phase: 'exec', goText: say(exhausted, shown), position });
  }

  #list(dot: Reference, list: ListNode): Outcome {
    this.#budget.enter();
    for (const node of list.nodes) {
      const outcome = this.#statement(dot, node);
      if (outcome !== 'done') {
        this.#budget.leave();
        return outcome;
      }
    }
    this.#budget.leave();
    return 'done';
  }

  #statement(dot: Reference, node: StatementNode): Outcome {
    this.#budget.spend(1);
    this.#evaluator.node = node;
    switch (node.kind) {
      case 'text':
        this.#write(node.text);
        return 'done';
      case 'action': {
        // Variables live on to the end of the block; what declares some prints nothing.
        const value = this.#evaluator.pipeline(dot, node.pipe);
        this.#evaluator.node = node;
        if (node.pipe.variables.length === 0) this.#write(sprint([printable(value)], this.#budget));
        return 'done';
      }
      case 'break':
      case 'continue':
        return node.kind;
      case 'if':
      case 'with':
        return this.#branch(dot, node);
      case 'range':
        this.#range(dot, node);
        return 'done';
      case 'template':
        this.#template(dot, node);
        return 'done';
    }
  }

  #write(text: string): void {
    this.#budget.write(text.length);
    this.#output.push(text);
  }

  #branch(dot: Reference, { kind, pipe, list, elseList }: BranchNode): Outcome {
    const mark = this.#evaluator.variables.length;
    const value = this.#evaluator.pipeline(dot, pipe);
    let outcome: Outcome = 'done';
    if (isTrue(value)) outcome = this.#list(kind === 'with' ? value : dot, list);
    else if (elseList !== undefined) outcome = this.#list(dot, elseList);
    this.#evaluator.variables.length = mark;
    return outcome;
  }

  #range(dot: Reference, node: BranchNode): void {
    const { pipe, list, elseList } = node;
    const before = this.#evaluator.variables.length;
    const value = this.#evaluator.pipeline(dot, pipe);
    const mark = this.#evaluator.variables.length;
    let ran = false;
    /** @returns false after a break */
    const iterate = (index: Reference, element: Reference): boolean => {
      ran = true;
      this.#budget.spend(1);
      this.#rangeVariables(pipe, index, element);
      const outcome = this.#list(element, list);
      this.#evaluator.variables.length = mark;
      return outcome !== 'break';
    };
    this.#elements(value, pipe, iterate);
    if (!ran && elseList !== undefined) this.#list(dot, elseList);
    this.#evaluator.variables.length = before;
  }

  /** With two variables the first is the index, with one it is the element. */
  #rangeVariables({ variables, isAssign }: PipeNode, index: Reference, element: Reference): void {
    const [first, second] = variables;
    if (first === undefined) return;
    if (isAssign) {
      this.#evaluator.assign(first, second === undefined ? element : index);
      if (second !== undefined) this.#evaluator.assign(second, element);
      return;
    }
    const top = this.#evaluator.variables.at(-1);
    if (top !== undefined) top.value = element;
    const below = this.#evaluator.variables.at(-2);
    if (second !== undefined && below !== undefined) below.value = index;
  }

  #elements(
    value: GoValue,
    { variables }: PipeNode,
    iterate: (index: Reference, element: Reference) => boolean,
  ): void {
    if (value === null) return;
    if (value instanceof GoInt) {
      if (variables.length > 1) {
        throw new GoError(
          "can't use [redacted] to iterate over more than one variable",
          `can't use ${value.value} to iterate over more than one variable`,
        );
      }
      for (let i = 0n; i < value.value; i++) if (!iterate(null, integer(value.type, i))) return;
    } else if (value instanceof GoSlice) {
      const { elem } = value.type;
      for (const [i, item] of value.items.entries()) if (!iterate(int(i), inPlace(item, elem))) return;
    } else if (value instanceof GoMap) {
      this.#budget.spend(value.entries.size);
      const { elem } = value.type;
      // Go copies keys and values first: what the body changes is not seen.
      const entries = [...value.entries].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
      for (const [key, item] of entries) if (!iterate(key, inPlace(item, elem))) return;
    } else {
      throw new GoError(
        `range can't iterate over a value of type ${typeName(value)}`,
        `range can't iterate over ${sprint([printable(value)], this.#budget)}`,
      );
    }
  }

  #template(dot: Reference, node: TemplateNode): void {
    const { name, pipe } = node;
    const list = this.#program.trees.get(name);
    if (list === undefined) throw new GoError(`template ${quote(name)} not defined`);
    this.#budget.enterTemplate();
    const root = pipe === undefined ? null : this.#evaluator.pipeline(dot, pipe);
    const outer = { executing: this.#executing, variables: this.#evaluator.variables };
    this.#executing = name;
    this.#evaluator.variables = [{ name: '$', value: root }];
    this.#list(root, list);
    this.#executing = outer.executing;
    this.#evaluator.variables = outer.variables;
    this.#budget.leaveTemplate();
  }
}
