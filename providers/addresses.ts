/**
 * Which network addresses a store may reach. A store's author chooses the URL and this program connects
 * with its own place in the network, so addresses that only make sense from here are refused: link-local
 * ones and the metadata services of clouds hand out the node's credentials; loopback is this Pod itself.
 * Private networks are where most Vaults live, and stay allowed.
 */
import { BlockList, isIP } from 'node:net';

type AddressClass = 'loopback' | 'link-local' | 'cloud metadata' | 'unspecified' | 'multicast' | 'reserved';

type Family = 'ipv4' | 'ipv6';
const listOf = (family: Family, ...ranges: (readonly [network: string, prefix: number])[]): BlockList => {
  const list = new BlockList();
  for (const [network, prefix] of ranges) list.addSubnet(network, prefix, family);
  return list;
};

// The first match counts: the metadata services inside 169.254/16 are named as what they are.
const IPV4: readonly (readonly [AddressClass, BlockList])[] = [
  [
    'cloud metadata',
    listOf(
      'ipv4',
      ['169.254.169.254', 32], // AWS, GCP, Azure, OpenStack and others
      ['169.254.170.2', 32], // ECS
      ['169.254.170.23', 32], // EKS Pod Identity
      ['100.100.100.200', 32], // Alibaba
      ['168.63.129.16', 32], // Azure's wire server
      ['192.0.0.192', 32], // Oracle
    ),
  ],
  ['link-local', listOf('ipv4', ['169.254.0.0', 16])],
  ['unspecified', listOf('ipv4', ['0.0.0.0', 8])],
  ['loopback', listOf('ipv4', ['127.0.0.0', 8])],
  ['multicast', listOf('ipv4', ['224.0.0.0', 4])],
  ['reserved', listOf('ipv4', ['240.0.0.0', 4])],
];

const IPV6: readonly (readonly [AddressClass, BlockList])[] = [
  [
    'cloud metadata',
    listOf(
      'ipv6',
      ['fd00:ec2::', 32], // AWS: metadata, Pod Identity, DNS
      ['fd20:ce::254', 128], // GCP
      ['fd00:42::42', 128], // Scaleway
    ),
  ],
  ['link-local', listOf('ipv6', ['fe80::', 10])],
  ['unspecified', listOf('ipv6', ['::', 128])],
  ['loopback', listOf('ipv6', ['::1', 128])],
  ['multicast', listOf('ipv6', ['ff00::', 8])],
];

/** The eight 16-bit groups of an IPv6 address; the URL parser knows every way to write one. */
function groupsOf(ipv6: string): number[] {
  const canonical = new URL(`http://[${ipv6}]/`).hostname.slice(1, -1);
  const [head = '', tail] = canonical.split('::');
  const parse = (text: string): number[] =>
    text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16));
  if (tail === undefined) return parse(head);
  const left = parse(head);
  const right = parse(tail);
  return [...left, ...Array.from({ length: 8 - left.length - right.length }, () => 0), ...right];
}

const dotted = (high = 0, low = 0): string => [high >> 8, high & 255, low >> 8, low & 255].join('.');

/** The IPv4 address inside an IPv6 one: mapped, compatible, NAT64 (well-known and local prefix), 6to4. */
function embeddedIpv4(groups: readonly number[]): string | undefined {
  const startsWith = (...prefix: number[]): boolean => prefix.every((value, i) => groups[i] === value);
  if (startsWith(0, 0, 0, 0, 0, 0xffff) || startsWith(0, 0, 0, 0, 0xffff, 0))
    return dotted(groups[6], groups[7]);
  if (startsWith(0x64, 0xff9b, 0, 0, 0, 0) || startsWith(0x64, 0xff9b, 1))
    return dotted(groups[6], groups[7]);
  if (startsWith(0x2002)) return dotted(groups[1], groups[2]);
  if (startsWith(0, 0, 0, 0, 0, 0) && (groups[6] !== 0 || (groups[7] ?? 0) > 1)) {
    return dotted(groups[6], groups[7]);
  }
  return undefined;
}

function classify(address: string): AddressClass | undefined {
  const bare = address.replace(/%.*$/, '');
  if (isIP(bare) === 4) return IPV4.find(([, list]) => list.check(bare, 'ipv4'))?.[0];
  const embedded = embeddedIpv4(groupsOf(bare));
  if (embedded !== undefined) return classify(embedded);
  return IPV6.find(([, list]) => list.check(bare, 'ipv6'))?.[0];
}

/**
 * Why this address must not be contacted, as a clause ("is a link-local address, ..."), or undefined if it
 * may be. `address` is an IP address, optionally with a zone.
 */
export function refusalOf(address: string, allowLoopback: boolean): string | undefined {
  const kind = classify(address);
  if (kind === undefined || (kind === 'loopback' && allowLoopback)) return undefined;
  return kind === 'loopback'
    ? 'is a loopback address, which is refused unless --allow-loopback is given'
    : `is a ${kind} address, which is never contacted`;
}

/** True for the addresses of this very machine. */
export const isLoopbackAddress = (address: string): boolean => classify(address) === 'loopback';

/** True for the addresses at which clouds tell a machine its identity. */
export const isMetadataAddress = (address: string): boolean => classify(address) === 'cloud metadata';

/** The IP address that the host of a URL is, if it is one: `[::1]` without its brackets, 0x7f.1 resolved. */
export function literalAddress(url: URL): string | undefined {
  const host = url.hostname.startsWith('[') ? url.hostname.slice(1, -1) : url.hostname;
  return isIP(host) === 0 ? undefined : host;
}
