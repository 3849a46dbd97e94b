/** Go's fmt.Sprint, Sprintln and Sprintf over Go values. */
import { Printer } from './fmt-print.ts';
import type { Call } from './function.ts';
import { decodeRune, encodeRune } from './utf8.ts';
import { GoInt, type GoValue, typeOf } from './value.ts';

/** The largest width or precision that Go accepts. */
const MAX_NUMBER = 1_000_000;

/**
 * fmt.Sprint: the values in their default format, with a space between two that are both no strings.
 * @param call whose budget is charged
 */
export function sprint(args: readonly GoValue[], call?: Call): string {
  const [only] = args;
  if (args.length === 1 && typeof only === 'string') return only;
  const printer = new Printer(call);
  let previousIsString = true;
  for (const arg of args) {
    const isString = typeof arg === 'string';
    if (!isString && !previousIsString) printer.write(' ');
    printer.argument(arg, 'v');
    previousIsString = isString;
  }
  return printer.text();
}

/** fmt.Sprintln: always a space between the values, and a newline at the end. */
export function sprintln(args: readonly GoValue[], call?: Call): string {
  const printer = new Printer(call);
  args.forEach((arg, i) => {
    if (i > 0) printer.write(' ');
    printer.argument(arg, 'v');
  });
  printer.write('\n');
  return printer.text();
}

/** fmt.Sprintf. Wrong verbs, missing and superfluous arguments are explained in the output, as Go does. */
export function sprintf(format: string, args: readonly GoValue[], call?: Call): string {
  return new Formatter(format, args, call).run();
}

class Formatter {
  readonly #format: string;
  readonly #args: readonly GoValue[];
  readonly #printer: Printer;
  #at = 0;
  #next = 0;
  /** An explicit index `[n]` was used anywhere: then superfluous arguments are no fault. */
  #reordered = false;
  /** The explicit indexes of this directive are well. */
  #indexIsGood = true;

  constructor(format: string, args: readonly GoValue[], call: Call | undefined) {
    this.#format = format;
    this.#args = args;
    this.#printer = new Printer(call);
  }

  run(): string {
    const format = this.#format;
    while (this.#at < format.length) {
      let percent = format.indexOf('%', this.#at);
      if (percent < 0) percent = format.length;
      if (percent > this.#at) this.#printer.write(format.slice(this.#at, percent));
      this.#at = percent + 1;
      if (percent < format.length) this.#directive();
    }
    this.#superfluous();
    return this.#printer.text();
  }

  #directive(): void {
    const printer = this.#printer;
    this.#indexIsGood = true;
    printer.clearFlags();
    this.#flags();
    let afterIndex = this.#index();
    afterIndex = this.#width(afterIndex);
    afterIndex = this.#precision(afterIndex);
    if (!afterIndex) this.#index();
    if (this.#at >= this.#format.length) {
      printer.write('%!(NOVERB)');
      return;
    }
    const { rune, size } = decodeRune(this.#format, this.#at);
    this.#at += size;
    const verb = encodeRune(rune);
    if (verb === '%') {
      printer.write('%');
    } else if (!this.#indexIsGood) {
      printer.write(`%!${verb}(BADINDEX)`);
    } else if (this.#next >= this.#args.length) {
      printer.write(`%!${verb}(MISSING)`);
    } else {
      if (verb === 'v' || verb === 'w') {
        const { flags } = printer;
        flags.sharpV = flags.sharp;
        flags.sharp = false;
        flags.plusV = flags.plus;
        flags.plus = false;
      }
      printer.argument(this.#args[this.#next++] ?? null, verb);
    }
  }

  #flags(): void {
    const { flags } = this.#printer;
    for (; this.#at < this.#format.length; this.#at++) {
      switch (this.#format[this.#at]) {
        case '#':
          flags.sharp = true;
          break;
        case '0':
          flags.zero = true;
          break;
        case '+':
          flags.plus = true;
          break;
        case '-':
          flags.minus = true;
          break;
        case ' ':
          flags.space = true;
          break;
        default:
          return;
      }
    }
  }

  /** `*` or digits. */
  #width(afterIndex: boolean): boolean {
    const { flags } = this.#printer;
    if (this.#format[this.#at] === '*') {
      this.#at++;
      flags.width = this.#integerArgument();
      if (flags.width === undefined) {
        this.#printer.write('%!(BADWIDTH)');
      } else if (flags.width < 0) {
        flags.width = -flags.width;
        flags.minus = true;
        flags.zero = false;
      }
      return false;
    }
    flags.width = this.#number();
    if (afterIndex && flags.width !== undefined) this.#indexIsGood = false;
    return afterIndex;
  }

  #precision(afterWidth: boolean): boolean {
    if (this.#at + 1 > this.#format.length || this.#format[this.#at] !== '.') return afterWidth;
    // A point at the very end belongs to no directive: it is taken for the verb.
    if (this.#at + 1 >= this.#format.length) return afterWidth;
    const { flags } = this.#printer;
    this.#at++;
    if (afterWidth) this.#indexIsGood = false;
    const afterIndex = this.#index();
    if (this.#format[this.#at] === '*') {
      this.#at++;
      const precision = this.#integerArgument();
      flags.precision = precision === undefined || precision < 0 ? undefined : precision;
      if (flags.precision === undefined) this.#printer.write('%!(BADPREC)');
      return false;
    }
    flags.precision = this.#number() ?? 0;
    return afterIndex;
  }

  /** Digits; a number too large swallows the rest of the format and counts as none. */
  #number(limit: number = this.#format.length): number | undefined {
    let value: number | undefined;
    for (; this.#at < limit; this.#at++) {
      const digit = this.#format.charCodeAt(this.#at) - 0x30;
      if (digit < 0 || digit > 9) break;
      if ((value ?? 0) > MAX_NUMBER) {
        this.#at = limit;
        return undefined;
      }
      value = (value ?? 0) * 10 + digit;
    }
    return value;
  }

  /** The argument for a `*`. */
  #integerArgument(): number | undefined {
    if (this.#next >= this.#args.length) return undefined;
    const arg = this.#args[this.#next++];
    if (!(arg instanceof GoInt)) return undefined;
    const limit = BigInt(MAX_NUMBER);
    return arg.value > limit || arg.value < -limit ? undefined : Number(arg.value);
  }

  /** An explicit index `[n]`, 1-based. @returns whether one was there and well formed */
  #index(): boolean {
    const format = this.#format;
    if (format[this.#at] !== '[') return false;
    this.#reordered = true;
    const start = this.#at;
    const close = format.indexOf(']', start + 1);
    if (format.length - start < 3 || close < 0) {
      this.#at = start + 1;
      this.#indexIsGood = false;
      return false;
    }
    this.#at = start + 1;
    const index = this.#number(close);
    const isNumber = index !== undefined && this.#at === close;
    this.#at = close + 1;
    if (isNumber && index >= 1 && index <= this.#args.length) {
      this.#next = index - 1;
      return true;
    }
    this.#indexIsGood = false;
    return isNumber;
  }

  #superfluous(): void {
    if (this.#reordered || this.#next >= this.#args.length) return;
    const printer = this.#printer;
    printer.clearFlags();
    printer.write('%!(EXTRA ');
    this.#args.slice(this.#next).forEach((arg, i) => {
      if (i > 0) printer.write(', ');
      if (arg === null) {
        printer.write('<nil>');
        return;
      }
      printer.write(`${typeOf(arg)?.name ?? ''}=`);
      printer.argument(arg, 'v');
    });
    printer.write(')');
  }
}
