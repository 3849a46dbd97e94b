/** Which STS an iam login is about. */
import { endpointOverride } from '../aws/environment.ts';
import type { VaultAuth } from './config.ts';

export type IamAuth = NonNullable<VaultAuth['iam']>;

/** Vault's, and ESO's, own. */
const DEFAULT_REGION = 'us-east-1';

export const regionOf = ({ region }: IamAuth): string => region || DEFAULT_REGION;

/**
 * Where Vault sends the signed request. Its own default is the global endpoint, which takes signatures for us-east-1;
 * for other regions sts_endpoint and sts_region of the auth method name theirs.
 */
export function stsOf(region: string): URL {
  if (region === DEFAULT_REGION) return new URL('https://sts.amazonaws.com/');
  return new URL(`https://sts.${region}.amazonaws.com${suffixOf(region)}/`);
}

const suffixOf = (region: string): string => (region.startsWith('cn-') ? '.cn' : '');

/** The server that exchanges tokens and roles for credentials. */
export function stsServer(region: string): URL {
  const moved = endpointOverride('STS');
  return moved !== undefined && URL.canParse(moved)
    ? new URL(moved)
    : new URL(`https://sts.${region}.amazonaws.com${suffixOf(region)}/`);
}
