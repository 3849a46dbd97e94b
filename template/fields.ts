/** What a template reads of its root, found without running it: for checks at admission. */
import type { ListNode, OperandNode, PipeNode } from './nodes.ts';
import type { Trees } from './parse.ts';

/** One read of a key of the root. */
export interface FieldRead {
  /** A Go string. */
  readonly key: string;
  /** A missing key fails `.key`, but not `index . "key"`. */
  readonly how: 'field' | 'index';
  /** Byte offset in the source. */
  readonly offset: number;
  /** Read in every execution that gets that far; false within branches, loops and operands of `and` and `or`. */
  readonly certain: boolean;
}

export interface RootReads {
  readonly reads: readonly FieldRead[];
  /** The root is also used as a whole (`range .`, `toJson .`): any key may be read. */
  readonly whole: boolean;
}

/** What the dot and the variables stand for at some place: the root, or something else. */
interface Scope {
  readonly dotIsRoot: boolean;
  /** Variables that are the root. */
  readonly rootVariables: Set<string>;
  readonly certain: boolean;
}

/** Walks the template `name` and every one that it calls. */
export function rootReads(name: string, trees: Trees): RootReads {
  const walk = new Walk(trees);
  walk.template(name, true, true);
  return { reads: walk.reads, whole: walk.whole };
}

class Walk {
  readonly reads: FieldRead[] = [];
  whole = false;
  readonly #trees: Trees;
  /** Templates that were walked, with and without the root as their dot: recursion ends there. */
  readonly #seen = new Set<string>();

  constructor(trees: Trees) {
    this.#trees = trees;
  }

  template(name: string, dotIsRoot: boolean, certain: boolean): void {
    const mark = `${dotIsRoot} ${certain} ${name}`;
    const list = this.#trees.get(name);
    if (list === undefined || this.#seen.has(mark)) return;
    this.#seen.add(mark);
    this.#list(list, { dotIsRoot, rootVariables: new Set(dotIsRoot ? ['$'] : []), certain });
  }

  #list({ nodes }: ListNode, scope: Scope): void {
    for (const node of nodes) {
      switch (node.kind) {
        case 'action':
          this.#pipe(node.pipe, scope);
          break;
        case 'template': {
          const isRoot = node.pipe !== undefined && this.#isRoot(node.pipe, scope);
          if (node.pipe !== undefined && !isRoot) this.#pipe(node.pipe, scope);
          this.template(node.name, isRoot, scope.certain);
          break;
        }
        case 'if':
        case 'with':
        case 'range': {
          const possible = { ...scope, rootVariables: new Set(scope.rootVariables), certain: false };
          const withRoot = node.kind === 'with' && this.#isRoot(node.pipe, scope);
          if (!withRoot) this.#pipe(node.pipe, scope);
          this.#declare(node.pipe, possible);
          this.#list(node.list, node.kind === 'if' ? possible : { ...possible, dotIsRoot: withRoot });
          if (node.elseList !== undefined) this.#list(node.elseList, possible);
          break;
        }
        default:
      }
    }
  }

  /** True for `.`, `$` and a variable that is the root. */
  #isRoot({ commands }: PipeNode, scope: Scope): boolean {
    const [command] = commands;
    const [operand] = command?.args ?? [];
    return (
      commands.length === 1 &&
      command?.args.length === 1 &&
      operand !== undefined &&
      this.#operandIsRoot(operand, scope)
    );
  }

  #operandIsRoot(operand: OperandNode, scope: Scope): boolean {
    if (operand.kind === 'dot') return scope.dotIsRoot;
    if (operand.kind === 'variable')
      return operand.names.length === 1 && isRootVariable(operand.names, scope);
    return operand.kind === 'pipe' && this.#isRoot(operand, scope);
  }

  #declare(pipe: PipeNode, scope: Scope): void {
    const isRoot = this.#isRoot(pipe, scope);
    for (const { names } of pipe.variables) {
      const [name = ''] = names;
      if (isRoot) scope.rootVariables.add(name);
      else if (!pipe.isAssign) scope.rootVariables.delete(name);
    }
  }

  #pipe(pipe: PipeNode, scope: Scope): void {
    const declaresRoot = pipe.variables.length > 0 && this.#isRoot(pipe, scope);
    if (!declaresRoot) for (const { args } of pipe.commands) this.#command(args, scope);
    this.#declare(pipe, scope);
  }

  #command(args: readonly OperandNode[], scope: Scope): void {
    const [first, second, third] = args;
    const name = first?.kind === 'identifier' ? first.name : '';
    if (
      name === 'index' &&
      second !== undefined &&
      third?.kind === 'string' &&
      this.#operandIsRoot(second, scope)
    ) {
      this.reads.push({ key: third.value, how: 'index', offset: third.position, certain: scope.certain });
      for (const operand of args.slice(3)) this.#operand(operand, scope);
      return;
    }
    const possible = { ...scope, certain: false };
    const shortCircuits = name === 'and' || name === 'or';
    args.forEach((operand, i) => {
      this.#operand(operand, shortCircuits && i > 1 ? possible : scope);
    });
  }

  #operand(operand: OperandNode, scope: Scope): void {
    if (this.#operandIsRoot(operand, scope)) {
      this.whole = true;
      return;
    }
    switch (operand.kind) {
      case 'field':
        if (scope.dotIsRoot) this.#read(operand.names[0], operand.position, scope);
        break;
      case 'variable':
        if (isRootVariable(operand.names, scope)) this.#read(operand.names[1], operand.position, scope);
        break;
      case 'chain':
        if (this.#operandIsRoot(operand.operand, scope))
          this.#read(operand.names[0], operand.position, scope);
        else this.#operand(operand.operand, scope);
        break;
      case 'pipe':
        this.#pipe(operand, scope);
        break;
      default:
    }
  }

  #read(key: string | undefined, offset: number, { certain }: Scope): void {
    if (key !== undefined) this.reads.push({ key, how: 'field', offset, certain });
  }
}

const isRootVariable = ([name = '']: readonly string[], { rootVariables }: Scope): boolean =>
  rootVariables.has(name);
