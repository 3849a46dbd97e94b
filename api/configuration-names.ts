/** The names of the two webhook configurations of one installation. */
export interface ConfigurationNames {
  readonly validating: string;
  readonly mutating: string;
}

export const DEFAULT_CONFIGURATION = 'external-secrets-admission';

/**
 * Mutating configurations are called in the order of their names, and ours has to see what the others made of the
 * object: so its name sorts late.
 * @param name of the validating one
 */
export const configurationNames = (name: string): ConfigurationNames => ({
  validating: name,
  mutating: `zz-${name}`,
});
