/** Networks in CIDR notation, for both families. */
import { BlockList, isIP } from 'node:net';
import { LRUCache } from 'lru-cache';

interface Network {
  readonly family: 'ipv4' | 'ipv6';
  readonly list: BlockList;
}

const BITS = { ipv4: 32, ipv6: 128 } as const;
/** How a dual-stack socket writes the address of an IPv4 peer. */
const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;

const networks = new LRUCache<string, { readonly network: Network | undefined }>({ max: 1024 });

function parse(cidr: string): Network | undefined {
  const [address = '', bits = '', ...rest] = cidr.split('/');
  const version = isIP(address);
  if (version === 0 || rest.length > 0 || !/^(0|[1-9]\d{0,2})$/.test(bits)) return undefined;
  const family = version === 4 ? 'ipv4' : 'ipv6';
  if (Number(bits) > BITS[family]) return undefined;
  const list = new BlockList();
  list.addSubnet(address, Number(bits), family);
  return { family, list };
}

function networkOf(cidr: string): Network | undefined {
  const known = networks.get(cidr);
  if (known !== undefined) return known.network;
  const network = parse(cidr);
  networks.set(cidr, { network });
  return network;
}

/** Why this is no network; undefined if it is one. */
export const networkError = (cidr: string): string | undefined =>
  networkOf(cidr) === undefined
    ? `"${cidr}" is not a network; write it like 10.0.0.0/8, 192.0.2.7/32 or fd00::/8`
    : undefined;

/** True if the address (an IP address, optionally with a zone) is in the network; what is no network holds none. */
export function inNetwork(cidr: string, address: string): boolean {
  const bare = address.replace(/%.*$/, '');
  const plain = MAPPED.exec(bare)?.[1] ?? bare;
  const network = networkOf(cidr);
  const version = isIP(plain);
  if (network === undefined || version === 0) return false;
  const family = version === 4 ? 'ipv4' : 'ipv6';
  return family === network.family && network.list.check(plain, family);
}
