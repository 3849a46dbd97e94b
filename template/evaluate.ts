/** The evaluation of pipelines: commands, fields, methods and functions, as Go's text/template does it. */
import { assignable, literal, untyped } from './arguments.ts';
import type { Budget } from './budget.ts';
import { type FunctionMap, GoError } from './function.ts';
import {
  type CommandNode,
  type IdentifierNode,
  type Node,
  nodeText,
  type OperandNode,
  type PipeNode,
  type VariableNode,
} from './nodes.ts';
import { quote } from './quote.ts';
import { inPlace, isTrue, type Reference, typeName, unbox } from './reference.ts';
import { GoInt, GoMap, type GoMethod, GoObject, type GoType, type GoValue, T } from './value.ts';

/** A built-in function. It may tell a nil interface from no value, and its result may be in a place of its own. */
export interface Builtin {
  readonly params: readonly GoType[];
  readonly variadic?: boolean;
  readonly call: (args: readonly Reference[], budget: Budget) => Reference;
}

/** All functions of a template; those of `functions` hide the built-in ones. */
export interface Functions {
  readonly functions: FunctionMap;
  readonly builtins: ReadonlyMap<string, Builtin>;
}

/** No value comes down the pipeline. */
const MISSING = Symbol('missing');

type Final = Reference | typeof MISSING;

export interface Variable {
  readonly name: string;
  value: Reference;
}

/** Of a function, a built-in or a method. */
interface Signature {
  readonly params: readonly GoType[];
  readonly variadic?: boolean;
}

/** Evaluates pipelines and keeps the variables. Failures are GoErrors, put down to `node`. */
export class Evaluator {
  /** The node that an error is put down to. */
  node: Node | undefined;
  /** Those in scope, the latest last. */
  variables: Variable[] = [];
  readonly #functions: Functions;
  readonly #budget: Budget;

  constructor(functions: Functions, budget: Budget) {
    this.#functions = functions;
    this.#budget = budget;
  }

  /** The value of a pipeline; its variables are declared or assigned. */
  pipeline(dot: Reference, pipe: PipeNode): GoValue {
    this.#budget.enter();
    this.node = pipe;
    let value: Final = MISSING;
    for (const command of pipe.commands) value = unbox(this.#command(dot, command, value));
    const result = value === MISSING ? null : value;
    for (const variable of pipe.variables) {
      if (pipe.isAssign) this.assign(variable, result);
      else this.variables.push({ name: variable.names[0] ?? '', value: result });
    }
    this.#budget.leave();
    return result;
  }

  #find({ names: [name = ''] }: VariableNode): Variable {
    for (let i = this.variables.length - 1; i >= 0; i--) {
      const variable = this.variables[i];
      if (variable?.name === name) return variable;
    }
    throw new GoError(`undefined variable: ${name}`);
  }

  /** Changes the innermost variable of that name. */
  assign(node: VariableNode, value: Reference): void {
    this.#find(node).value = value;
  }

  #command(dot: Reference, command: CommandNode, final: Final): Reference {
    this.#budget.spend(1);
    const { args } = command;
    const [first] = args;
    if (first === undefined) return null;
    switch (first.kind) {
      case 'identifier':
        return this.#function(dot, first, command, args, final);
      case 'field':
      case 'chain':
      case 'variable':
        return this.#operand(dot, first, args, final);
      case 'pipe':
        this.#takesNoArguments(args, final);
        return this.pipeline(dot, first);
      default:
        this.node = first;
        this.#takesNoArguments(args, final);
        if (first.kind === 'dot') return dot;
        if (first.kind === 'nil') throw new GoError('nil is not a command');
        return untyped(first);
    }
  }

  #takesNoArguments(args: readonly OperandNode[], final: Final): void {
    const [first] = args;
    if (first !== undefined && (args.length > 1 || final !== MISSING)) {
      throw new GoError(`can't give argument to non-function ${nodeText(first)}`);
    }
  }

  /** A field of the dot, of a variable or of anything in parentheses, with arguments if it is a method. */
  #operand(dot: Reference, node: OperandNode, args: readonly OperandNode[], final: Final): Reference {
    this.node = node;
    switch (node.kind) {
      case 'field':
        return this.#chain(dot, dot, node, node.names, args, final);
      case 'variable': {
        const { value } = this.#find(node);
        if (node.names.length > 1) return this.#chain(dot, value, node, node.names.slice(1), args, final);
        this.#takesNoArguments(args, final);
        return value;
      }
      case 'chain': {
        const receiver = this.#reference(dot, node.operand);
        return this.#chain(dot, receiver, node, node.names, args, final);
      }
      default:
        return this.#reference(dot, node);
    }
  }

  /** An operand that is no literal, in its place. */
  #reference(dot: Reference, node: OperandNode): Reference {
    this.node = node;
    switch (node.kind) {
      case 'dot':
        return dot;
      case 'pipe':
        return this.pipeline(dot, node);
      case 'identifier':
        return this.#function(dot, node, node, [], MISSING);
      case 'field':
      case 'variable':
      case 'chain':
        return this.#operand(dot, node, [], MISSING);
      default:
        return untyped(node);
    }
  }

  #chain(
    dot: Reference,
    start: Reference,
    node: OperandNode,
    names: readonly string[],
    args: readonly OperandNode[],
    final: Final,
  ): Reference {
    let receiver = start;
    const last = names.length - 1;
    for (let i = 0; i < last; i++) {
      receiver = this.#field(dot, names[i] ?? '', node, [], MISSING, receiver);
    }
    return this.#field(dot, names[last] ?? '', node, args, final, receiver);
  }

  /** A method of the receiver, called; or a field of an object or the value of a key of a map. */
  #field(
    dot: Reference,
    name: string,
    node: OperandNode,
    args: readonly OperandNode[],
    final: Final,
    receiver: Reference,
  ): Reference {
    if (receiver === null) throw new GoError(`nil data; no entry for key ${quote(name)}`);
    const value = unbox(receiver);
    if (value === null) throw new GoError(`nil pointer evaluating ${typeName(receiver)}.${name}`);
    const hasArguments = args.length > 1 || final !== MISSING;
    const method = methodsOf(value)?.get(name);
    if (method !== undefined) {
      const invoke = (references: readonly Reference[]): Reference => method.call(references.map(unbox));
      return this.#call(dot, method, invoke, node, name, args, final);
    }
    if (value instanceof GoObject) {
      const field = value.fields.get(name);
      if (field !== undefined) {
        if (hasArguments) throw new GoError(`${name} has arguments but cannot be invoked as function`);
        return field;
      }
    } else if (value instanceof GoMap) {
      if (hasArguments) throw new GoError(`${name} is not a method but has arguments`);
      const found = value.entries.get(name);
      if (found === undefined) throw new GoError(`map has no entry for key ${quote(name)}`);
      return inPlace(found, value.type.elem);
    }
    throw new GoError(`can't evaluate field ${name} in type ${typeName(receiver)}`);
  }

  #function(
    dot: Reference,
    { name }: IdentifierNode,
    node: CommandNode | IdentifierNode,
    args: readonly OperandNode[],
    final: Final,
  ): Reference {
    if (node.kind === 'command') this.node = args[0];
    else this.node = node;
    const budget = this.#budget;
    const found = this.#functions.functions.get(name);
    if (found !== undefined) {
      const { result } = found;
      const invoke = (references: readonly Reference[]): Reference =>
        inPlace(found.call(references.map(unbox), budget), result);
      return this.#call(dot, found, invoke, node, name, args, final);
    }
    const builtin = this.#functions.builtins.get(name);
    if (builtin === undefined) throw new GoError(`${quote(name)} is not a defined function`);
    if (name === 'and' || name === 'or') return this.#logical(dot, name, args, final);
    // `call` names what it is asked to call.
    const before = name === 'call' ? [calleeName(args, final)] : undefined;
    const invoke = (references: readonly Reference[]): Reference =>
      builtin.call(before === undefined ? references : [...before, ...references], budget);
    return this.#call(dot, builtin, invoke, node, name, args, final);
  }

  /** `and` and `or` stop at the first operand that decides. */
  #logical(dot: Reference, name: 'and' | 'or', args: readonly OperandNode[], final: Final): Reference {
    const operands = args.slice(1);
    if (operands.length === 0 && final === MISSING) {
      throw new GoError(`wrong number of args for ${name}: want at least 1 got 0`);
    }
    let value: Reference = null;
    for (const operand of operands) {
      value = this.#argument(dot, T.any, operand);
      if (isTrue(value) === (name === 'or')) return value;
    }
    return final === MISSING ? value : final;
  }

  #call(
    dot: Reference,
    { params, variadic }: Signature,
    invoke: (args: readonly Reference[]) => Reference,
    node: Node,
    name: string,
    args: readonly OperandNode[],
    final: Final,
  ): Reference {
    const operands = Math.max(0, args.length - 1);
    const count = operands + (final === MISSING ? 0 : 1);
    const fixed = variadic === true ? params.length - 1 : params.length;
    if (variadic === true && count < fixed) {
      throw new GoError(`wrong number of args for ${name}: want at least ${fixed} got ${operands}`);
    }
    if (variadic !== true && count !== fixed) {
      throw new GoError(`wrong number of args for ${name}: want ${fixed} got ${count}`);
    }
    const typeAt = (i: number): GoType => params[Math.min(i, params.length - 1)] ?? T.any;
    const values: Reference[] = [];
    for (let i = 1; i < args.length; i++) {
      const operand = args[i];
      if (operand !== undefined) values.push(this.#argument(dot, typeAt(i - 1), operand));
    }
    if (final !== MISSING) values.push(asArgument(final, typeAt(values.length)));
    try {
      return invoke(values);
    } catch (thrown) {
      if (!(thrown instanceof GoError)) throw thrown;
      this.node = node;
      throw new GoError(
        `error calling ${name}: ${thrown.message}`,
        `error calling ${name}: ${thrown.goText}`,
      );
    }
  }

  #argument(dot: Reference, type: GoType, node: OperandNode): Reference {
    this.node = node;
    switch (node.kind) {
      case 'nil':
      case 'bool':
      case 'string':
      case 'number':
        return literal(node, type);
      default:
        return asArgument(this.#reference(dot, node), type);
    }
  }
}

/** Objects have methods, and so have integers of a named type such as time.Month. */
function methodsOf(value: GoValue): ReadonlyMap<string, GoMethod> | undefined {
  if (value instanceof GoObject) return value.methods;
  return value instanceof GoInt ? value.type.methods?.(value.value) : undefined;
}

/** Parameters that take anything keep the place of a value, for the built-ins. */
const asArgument = (reference: Reference, type: GoType): Reference =>
  type.kind === 'interface' ? reference : assignable(reference, type);

function calleeName(args: readonly OperandNode[], final: Final): string {
  const [, callee] = args;
  if (callee !== undefined) return nodeText(callee);
  if (final === MISSING) return '';
  return typeof final === 'string' ? final : `<${typeName(final)} Value>`;
}
