/** The rule `servers`: which servers stores may lead to, before a connection is made and once it is. */
import { createHash } from 'node:crypto';
import type { ClusterSecretPolicy, ServerPattern } from '../api/policy/cluster-secret-policy.ts';
import { literalAddress } from '../providers/addresses.ts';
import type { ServerGuard } from '../providers/contract.ts';
import { inNetwork } from './networks.ts';
import { matchesGlob } from './patterns.ts';

/** `https://*.example.com in 10.0.0.0/8`, with what is not said left out; `https://**` is every host. */
export function showServerPattern({ scheme, host, network }: ServerPattern): string {
  const server = `${scheme === undefined ? '' : `${scheme}://`}${host ?? (scheme === undefined ? '' : '**')}`;
  return [server, ...(network === undefined ? [] : [`in ${network}`])]
    .filter((part) => part !== '')
    .join(' ');
}

function matchesUrl({ scheme, host }: ServerPattern, url: URL): boolean {
  if (scheme !== undefined && url.protocol !== `${scheme}:`) return false;
  if (host === undefined) return true;
  // A name may be written with the dot that ends it; an address of version 6 stands in brackets in a URL.
  const name = (literalAddress(url) ?? url.hostname).toLowerCase().replace(/\.$/, '');
  return matchesGlob(host.toLowerCase(), name, '.');
}

/** True if a connection to this URL may be one that the pattern means, as far as the URL tells. */
export function mayMatchServer(pattern: ServerPattern, url: URL): boolean {
  if (!matchesUrl(pattern, url)) return false;
  const address = literalAddress(url);
  return pattern.network === undefined || address === undefined || inNetwork(pattern.network, address);
}

/**
 * What the policies that deny have to say about a connection; undefined if they say nothing about servers. A network
 * can only be judged here, on the connected address, so policies that warn or audit do not look at it.
 */
export function serverGuard(policies: readonly ClusterSecretPolicy[]): ServerGuard | undefined {
  const rules = policies
    .flatMap(({ metadata: { name = '' }, spec }) =>
      spec.servers === undefined || (spec.effect ?? 'Deny') !== 'Deny'
        ? []
        : [{ name, patterns: spec.servers }],
    )
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  if (rules.length === 0) return undefined;
  const refusal = (holds: (pattern: ServerPattern) => boolean): string | undefined => {
    const broken = rules.find(({ patterns }) => !patterns.some(holds));
    if (broken === undefined) return undefined;
    const allowed = broken.patterns.map(showServerPattern).join(', ');
    return `is not allowed by policy "${broken.name}", rule servers (allowed: ${allowed || 'none'})`;
  };
  return {
    id: createHash('sha256').update(JSON.stringify(rules)).digest('base64url'),
    needsAddress: rules.some(({ patterns }) => patterns.some(({ network }) => network !== undefined)),
    refusesServer: (url) => refusal((pattern) => mayMatchServer(pattern, url)),
    refusesAddress: (url, address) =>
      refusal(
        (pattern) =>
          matchesUrl(pattern, url) && (pattern.network === undefined || inNetwork(pattern.network, address)),
      ),
  };
}
