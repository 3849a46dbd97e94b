export function ensureCached(
  target: string,
  title: string,
  fill: (directory: string) => Promise<void>,
): Promise<void>;
