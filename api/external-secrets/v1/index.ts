/** The hub version: what the engine, the policies and the programs work with. */
export * from './cluster-external-secret.ts';
export * from './external-secret.ts';
export * from './secret-store.ts';
