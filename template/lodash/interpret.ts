/** Runs the syntax tree of a template that allow.ts has passed. Every step is counted, and nothing else is reachable. */
import type { AnyNode, ArrowFunctionExpression, CallExpression, FunctionExpression, Program } from 'acorn';
import type { Budget } from '../budget.ts';
import { callGlobal, escapeHtml, FUNCTION_NAMES, NAMESPACES } from './globals.ts';
import { callMethod } from './methods.ts';
import { binary, logical, typeOf } from './operators.ts';
import { Regexp } from './regexp.ts';
import { PRINT_ESCAPED, PRINT_TEXT, PRINT_VALUE } from './source.ts';
import {
  Bytes,
  Callable,
  Fault,
  isDict,
  joined,
  membersOf,
  nameOf,
  newDict,
  type Run,
  toNumber,
  toText,
  type Value,
} from './values.ts';

/** A Fault with the offset in the program at which it happened. */
export class PlacedFault extends Error {
  readonly offset: number;

  constructor(message: string, offset: number) {
    super(message);
    this.name = 'PlacedFault';
    this.offset = offset;
  }
}

/** How a statement ended, where it did not simply end. */
type Completion =
  | { readonly kind: 'break' | 'continue' }
  | { readonly kind: 'return'; readonly value: Value }
  | undefined;

/** What an optional chain gives whose start is missing. */
const CUT = Symbol('cut');

class Scope {
  readonly #values = new Map<string, Value>();
  readonly #parent: Scope | undefined;

  constructor(parent?: Scope) {
    this.#parent = parent;
  }

  declare(name: string, value: Value): void {
    this.#values.set(name, value);
  }

  find(name: string): Scope | undefined {
    return this.#values.has(name) ? this : this.#parent?.find(name);
  }

  get(name: string): Value {
    return this.#values.get(name);
  }
}

/**
 * @param texts what the program prints by number
 * @param data the fetched values by key
 * @throws PlacedFault; TemplateError TEMPLATE_BUDGET
 */
export function interpret(
  program: Program,
  texts: readonly string[],
  data: ReadonlyMap<string, string>,
  budget: Budget,
): string {
  const interpreter = new Interpreter(texts, budget);
  return interpreter.run(program, data);
}

class Interpreter implements Run {
  readonly budget: Budget;
  readonly #texts: readonly string[];
  readonly #output: string[] = [];
  readonly #regexps = new Map<AnyNode, Regexp>();

  constructor(texts: readonly string[], budget: Budget) {
    this.#texts = texts;
    this.budget = budget;
  }

  run(program: Program, data: ReadonlyMap<string, string>): string {
    const globals = new Scope();
    const values = newDict();
    for (const [name, value] of data) values[name] = value;
    globals.declare('data', values);
    globals.declare('undefined', undefined);
    globals.declare('NaN', Number.NaN);
    globals.declare('Infinity', Number.POSITIVE_INFINITY);
    this.#statements(program.body, new Scope(globals));
    return this.#output.join('');
  }

  print(text: string): void {
    this.budget.write(Buffer.byteLength(text));
    this.#output.push(text);
  }

  #statements(nodes: readonly AnyNode[], scope: Scope): Completion {
    for (const node of nodes) {
      const completion = this.#statement(node, scope);
      if (completion !== undefined) return completion;
    }
    return undefined;
  }

  #statement(node: AnyNode, scope: Scope): Completion {
    this.budget.spend(1);
    switch (node.type) {
      case 'ExpressionStatement':
        this.#value(node.expression, scope);
        return undefined;
      case 'VariableDeclaration':
        for (const { id, init } of node.declarations)
          this.#bind(id, init === null || init === undefined ? undefined : this.#value(init, scope), scope);
        return undefined;
      case 'BlockStatement':
        return this.#statements(node.body, new Scope(scope));
      case 'IfStatement': {
        const branch = this.#value(node.test, scope) ? node.consequent : node.alternate;
        return branch === null || branch === undefined ? undefined : this.#statement(branch, scope);
      }
      case 'ForStatement': {
        const within = new Scope(scope);
        if (node.init?.type === 'VariableDeclaration') this.#statement(node.init, within);
        else if (node.init) this.#value(node.init, within);
        const { test, update } = node;
        return this.#loop(
          () => !test || Boolean(this.#value(test, within)),
          () => this.#statement(node.body, within),
          () => update && this.#value(update, within),
        );
      }
      case 'WhileStatement':
        return this.#loop(
          () => Boolean(this.#value(node.test, scope)),
          () => this.#statement(node.body, scope),
        );
      case 'ForOfStatement':
      case 'ForInStatement': {
        const items = this.#iterated(node.type === 'ForOfStatement', this.#value(node.right, scope), node);
        let index = 0;
        return this.#loop(
          () => index < items.length,
          () => {
            const within = new Scope(scope);
            if (node.left.type === 'VariableDeclaration')
              for (const { id } of node.left.declarations) this.#bind(id, items[index], within);
            index += 1;
            return this.#statement(node.body, within);
          },
        );
      }
      case 'BreakStatement':
        return { kind: 'break' };
      case 'ContinueStatement':
        return { kind: 'continue' };
      case 'ReturnStatement':
        return { kind: 'return', value: node.argument ? this.#value(node.argument, scope) : undefined };
      case 'EmptyStatement':
        return undefined;
      default:
        throw new PlacedFault(`${node.type} cannot be used in a template`, node.start);
    }
  }

  #loop(test: () => boolean, body: () => Completion, update?: () => unknown): Completion {
    while (test()) {
      this.budget.spend(1);
      const completion = body();
      if (completion?.kind === 'break') return undefined;
      if (completion?.kind === 'return') return completion;
      update?.();
    }
    return undefined;
  }

  /** The items of `for of`, the names of `for in`. */
  #iterated(of: boolean, value: Value, node: AnyNode): readonly Value[] {
    const items = this.#at(node, () => {
      if (!of) return value === null || value === undefined ? [] : Object.keys(membersOf(value));
      if (typeof value === 'string') return Array.from(value);
      if (!Array.isArray(value)) throw new Fault(`${nameOf(value)} cannot be looped over`);
      return [...value];
    });
    this.budget.spend(items.length);
    return items;
  }

  #bind(pattern: AnyNode, value: Value, scope: Scope): void {
    if (value instanceof Callable)
      throw new PlacedFault('a function cannot be kept in a variable', pattern.start);
    if (pattern.type === 'Identifier') scope.declare(pattern.name, value);
    else if (pattern.type === 'ArrayPattern') {
      if (!Array.isArray(value)) throw new PlacedFault(`${nameOf(value)} is no array`, pattern.start);
      for (const [index, element] of pattern.elements.entries())
        if (element !== null) this.#bind(element, value[index], scope);
    } else if (pattern.type === 'ObjectPattern') {
      for (const property of pattern.properties) {
        if (property.type !== 'Property') continue;
        const name = this.#propertyName(property.key, false, scope);
        this.#bind(
          property.value,
          this.#at(pattern, () => this.#get(value, name)),
          scope,
        );
      }
    }
  }

  /** Says of a Fault where it happened. */
  #at<T>(node: AnyNode, work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (error instanceof Fault) throw new PlacedFault(error.message, node.start);
      throw error;
    }
  }

  #value(node: AnyNode, scope: Scope): Value {
    const value = this.#evaluate(node, scope);
    return value === CUT ? undefined : value;
  }

  #evaluate(node: AnyNode, scope: Scope): Value | typeof CUT {
    this.budget.spend(1);
    switch (node.type) {
      case 'Literal':
        return this.#literal(node);
      case 'Identifier':
        return this.#variable(node, scope).get(node.name);
      case 'TemplateLiteral': {
        const parts = node.quasis.map(({ value }, index) => {
          const expression = node.expressions[index];
          const text = value.cooked ?? '';
          return expression === undefined
            ? text
            : text + this.#text(expression, this.#value(expression, scope));
        });
        return this.#at(node, () => joined(parts, '', this));
      }
      case 'ArrayExpression':
        return this.#list(node.elements, scope);
      case 'ObjectExpression':
        return this.#object(node, scope);
      case 'ConditionalExpression':
        return this.#value(this.#value(node.test, scope) ? node.consequent : node.alternate, scope);
      case 'LogicalExpression':
        return logical(node.operator, this.#value(node.left, scope), () => this.#value(node.right, scope));
      case 'BinaryExpression': {
        const left = this.#value(node.left, scope);
        const right = this.#value(node.right, scope);
        return this.#at(node, () => binary(node.operator, left, right, this));
      }
      case 'UnaryExpression': {
        const value = this.#value(node.argument, scope);
        if (node.operator === 'typeof') return typeOf(value);
        if (node.operator === '!') return !value;
        const number = this.#at(node, () => toNumber(value, this));
        return node.operator === '-' ? -number : number;
      }
      case 'SequenceExpression':
        return node.expressions.reduce<Value>((_, one) => this.#value(one, scope), undefined);
      case 'AssignmentExpression':
      case 'UpdateExpression':
        return this.#assign(node, scope);
      case 'ChainExpression':
        return this.#value(node.expression, scope);
      case 'MemberExpression': {
        const object = this.#evaluate(node.object, scope);
        if (object === CUT || (node.optional && (object === null || object === undefined))) return CUT;
        const name = this.#propertyName(node.property, node.computed, scope);
        return this.#at(node.property, () => this.#get(object, name));
      }
      case 'CallExpression':
        return this.#call(node, scope);
      case 'ArrowFunctionExpression':
      case 'FunctionExpression':
        return this.#function(node, scope);
      default:
        throw new PlacedFault(`${node.type} cannot be used in a template`, node.start);
    }
  }

  #literal(node: Extract<AnyNode, { type: 'Literal' }>): Value {
    if (node.regex) {
      const regexp = this.#regexps.get(node) ?? new Regexp(node.regex.pattern, node.regex.flags);
      this.#regexps.set(node, regexp);
      return regexp;
    }
    const { value } = node;
    return typeof value === 'bigint' || value instanceof RegExp ? undefined : value;
  }

  #variable(node: Extract<AnyNode, { type: 'Identifier' }>, scope: Scope): Scope {
    const found = scope.find(node.name);
    if (found === undefined) throw new PlacedFault(`${node.name} is not defined here`, node.start);
    return found;
  }

  #text(node: AnyNode, value: Value): string {
    return this.#at(node, () => toText(value, this));
  }

  #list(elements: readonly (AnyNode | null)[], scope: Scope): Value[] {
    const items: Value[] = [];
    for (const element of elements) {
      if (element === null) items.push(undefined);
      else if (element.type !== 'SpreadElement') items.push(this.#value(element, scope));
      else
        for (const item of this.#iterated(true, this.#value(element.argument, scope), element))
          items.push(item);
    }
    this.budget.allocate(8 * items.length);
    return items;
  }

  #object(node: Extract<AnyNode, { type: 'ObjectExpression' }>, scope: Scope): Value {
    const dict = newDict();
    for (const property of node.properties) {
      if (property.type === 'SpreadElement')
        Object.assign(dict, membersOf(this.#value(property.argument, scope)));
      else
        dict[this.#propertyName(property.key, property.computed, scope)] = this.#value(property.value, scope);
    }
    const { length } = Object.keys(dict);
    this.budget.spend(length);
    this.budget.allocate(32 * length);
    return dict;
  }

  #propertyName(node: AnyNode, computed: boolean, scope: Scope): string {
    if (!computed && node.type === 'Identifier') return node.name;
    return this.#text(node, this.#value(node, scope));
  }

  /** An own member; of texts, arrays and Buffers the length and the items. */
  #get(value: Value, name: string): Value {
    if (value === null || value === undefined) throw new Fault(`cannot read a member of ${nameOf(value)}`);
    if (value instanceof Bytes) return name === 'length' ? value.bytes.length : undefined;
    if (typeof value === 'string')
      return Object.hasOwn(Object(value), name) ? own(Object(value), name) : undefined;
    if (!Array.isArray(value) && !isDict(value)) return undefined;
    return Object.hasOwn(value, name) ? own(value, name) : undefined;
  }

  #assign(
    node: Extract<AnyNode, { type: 'AssignmentExpression' | 'UpdateExpression' }>,
    scope: Scope,
  ): Value {
    const target = node.type === 'AssignmentExpression' ? node.left : node.argument;
    if (target.type !== 'Identifier')
      throw new PlacedFault('only a variable can be assigned to', target.start);
    const variable = this.#variable(target, scope);
    const before = variable.get(target.name);
    if (node.type === 'UpdateExpression') {
      const number = this.#at(node, () => toNumber(before, this));
      const after = node.operator === '++' ? number + 1 : number - 1;
      variable.declare(target.name, after);
      return node.prefix ? after : number;
    }
    const right = (): Value => this.#value(node.right, scope);
    const operator = node.operator.slice(0, -1);
    let after: Value;
    if (operator === '') after = right();
    else if (['??', '||', '&&'].includes(operator)) after = logical(operator, before, right);
    else {
      const value = right();
      after = this.#at(node, () => binary(operator, before, value, this));
    }
    variable.declare(target.name, after);
    return after;
  }

  #call(node: CallExpression, scope: Scope): Value | typeof CUT {
    const { callee } = node;
    if (callee.type === 'Identifier') {
      if (callee.name === PRINT_TEXT) return this.#printText(node);
      if (callee.name === PRINT_VALUE || callee.name === PRINT_ESCAPED) {
        const value = this.#arguments(node, scope)[0];
        if (value === null || value === undefined) return undefined;
        const text = this.#text(node.arguments[0] ?? node, value);
        this.print(callee.name === PRINT_VALUE ? text : escapeHtml(text, this));
        return undefined;
      }
      const args = this.#arguments(node, scope);
      return this.#at(callee, () => callGlobal(callee.name, args, this));
    }
    if (callee.type !== 'MemberExpression' || callee.property.type !== 'Identifier')
      throw new PlacedFault('only methods and named functions can be called', callee.start);
    const { object, property } = callee;
    if (
      object.type === 'Identifier' &&
      NAMESPACES.has(object.name) &&
      scope.find(object.name) === undefined
    ) {
      const args = this.#arguments(node, scope);
      return this.#at(callee, () => callGlobal(`${object.name}.${property.name}`, args, this));
    }
    const self = this.#evaluate(object, scope);
    if (self === CUT || (callee.optional && (self === null || self === undefined))) return CUT;
    const args = this.#arguments(node, scope);
    return this.#at(property, () => callMethod(self, property.name, args, this));
  }

  #printText({ arguments: [index] }: CallExpression): undefined {
    if (index?.type === 'Literal') this.print(this.#texts[Number(index.value)] ?? '');
  }

  #arguments({ arguments: args }: CallExpression, scope: Scope): readonly Value[] {
    const functions = args.map((arg) =>
      arg.type === 'Identifier' && FUNCTION_NAMES.has(arg.name) && scope.find(arg.name) === undefined
        ? new Callable((given) => callGlobal(arg.name, given, this))
        : undefined,
    );
    if (functions.every((one) => one === undefined)) return this.#list(args, scope);
    return args.map((arg, index) => functions[index] ?? this.#value(arg, scope));
  }

  #function({ params, body }: ArrowFunctionExpression | FunctionExpression, scope: Scope): Callable {
    return new Callable((args) => {
      this.budget.enter();
      const within = new Scope(scope);
      for (const [index, param] of params.entries()) this.#bind(param, args[index], within);
      const completion: Completion =
        body.type === 'BlockStatement'
          ? this.#statements(body.body, within)
          : { kind: 'return', value: this.#value(body, within) };
      this.budget.leave();
      return completion?.kind === 'return' ? completion.value : undefined;
    });
  }
}

const own = (holder: object, name: string): Value => (holder as Readonly<Record<string, Value>>)[name];
