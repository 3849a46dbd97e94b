export class SetupError extends Error {}
export class UnavailableError extends SetupError {}
export function run(
  command: string,
  args: readonly string[],
  options: {
    readonly title: string;
    readonly cwd?: string;
    readonly env?: Readonly<Record<string, string>>;
    readonly timeout?: number;
  },
): Promise<string>;
