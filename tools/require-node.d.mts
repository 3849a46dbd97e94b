export function requireNode(program: string): void;
