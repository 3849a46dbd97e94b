/** What this room asks of a logger; pino's fits. Errors go under `err`, objects never whole. */
export interface KubeLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}
