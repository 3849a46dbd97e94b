/** The hub version: what the engine, the policies and the programs work with. */
export * from './external-secret.ts';
export * from './secret-store.ts';
