/** ESO's functions over PEM: `filterPEM`, `filterCertChain`, `certSANs`. */
import { type FunctionMap, GoError, type GoFunction } from '../function.ts';
import { strings, T } from '../value.ts';
import { ofStrings } from './arguments.ts';
import { STRINGS } from './declare.ts';
import { childrenOf, contentOf, isTagged, parseDer } from './der.ts';
import { formatIp } from './ip.ts';
import { decodeAllPem, decodePem, encodePem, pemOf } from './pem-blocks.ts';
import { type Certificate, parseCertificate } from './x509.ts';

/** The text from the first BEGIN on, whatever stands before it on its line. */
function fromFirstBegin(text: string): string {
  const begin = text.indexOf('-----BEGIN');
  return begin < 0 ? text : text.slice(begin);
}

function filterPem(type: string, text: string): string {
  const { blocks, rest } = decodeAllPem(fromFirstBegin(text));
  const wanted = blocks.filter((block) => block.type.toLowerCase() === type.toLowerCase());
  if (wanted.length === 0 && rest !== '') throw new GoError('error filtering pem: found junk');
  return wanted.map(encodePem).join('');
}

/** A root is signed by nobody that it names, or by itself. Nothing is verified here. */
const isRoot = ({ authorityKeyId, subjectKeyId }: Certificate): boolean =>
  authorityKeyId === '' || authorityKeyId === subjectKeyId;

/**
 * The chain that key identifiers tell: leaf first. No identifier on either side counts as the same one.
 * @throws GoError if it is not one chain
 */
export function orderChain(certificates: readonly Certificate[]): Certificate[] {
  const parents = certificates.map((certificate, index) =>
    certificates.findIndex((other, at) => at !== index && other.subjectKeyId === certificate.authorityKeyId),
  );
  const [leaf, another] = certificates.map((_, index) => index).filter((index) => !parents.includes(index));
  if (another !== undefined) throw new GoError('found multiple leaf or disjunct certificates');
  if (leaf === undefined) throw new GoError('no leaf certificate found');
  const chain: Certificate[] = [];
  for (let at: number | undefined = leaf; at !== undefined && at >= 0; at = parents[at]) {
    const certificate = certificates[at];
    if (certificate === undefined || chain.length === certificates.length) {
      throw new GoError('constructing chain resulted in cycle');
    }
    chain.push(certificate);
  }
  return chain;
}

/** Certificates one after the other. */
export const certificatesPem = (certificates: readonly Certificate[]): string =>
  certificates.map(({ raw }) => pemOf('CERTIFICATE', raw)).join('');

function filterCertChain(part: string, text: string): string {
  const chain = orderChain(decodeAllPem(text).blocks.map(({ bytes }) => parseCertificate(bytes)));
  const [leaf, ...rest] = chain;
  const last = chain.at(-1);
  if (part === 'leaf') return leaf === undefined || isRoot(leaf) ? '' : certificatesPem([leaf]);
  if (part === 'root') return last === undefined || !isRoot(last) ? '' : certificatesPem([last]);
  if (part !== 'intermediate') return '';
  const root = rest.findIndex(isRoot);
  return certificatesPem(root < 0 ? rest : rest.slice(0, root));
}

const SUBJECT_ALTERNATIVE_NAMES = '2.5.29.17';
const EMAIL = 1;
const DNS = 2;
const URI = 6;
const IP = 7;

function certSans(text: string): string[] {
  const found = decodePem(fromFirstBegin(text));
  if (found === undefined) throw new GoError('failed to decode PEM block');
  const names = childrenOf(
    parseDer(certificateOf(found.block.bytes).extensions.get(SUBJECT_ALTERNATIVE_NAMES) ?? ''),
  );
  const of = (tag: number): string[] => names.filter((name) => isTagged(name, tag)).map(contentOf);
  const addresses = of(IP).map((bytes) => {
    if (bytes.length !== 4 && bytes.length !== 16) {
      throw new GoError(
        `failed to parse certificate: x509: cannot parse IP address of length ${bytes.length}`,
      );
    }
    return formatIp(bytes);
  });
  return [...of(DNS), ...addresses, ...of(EMAIL), ...of(URI)];
}

function certificateOf(der: string): Certificate {
  try {
    return parseCertificate(der);
  } catch (error) {
    if (!(error instanceof GoError)) throw error;
    throw new GoError(`failed to parse certificate: ${error.message}`);
  }
}

/** Reading a certificate takes some 100 µs; this many are paid for before. */
export const STEPS_A_CERTIFICATE = 2000;

/** Pays for every block of the text before it is looked into. */
export const countBlocks = (text: string): number => text.split('-----BEGIN').length;

export const PEM: FunctionMap = new Map<string, GoFunction>([
  [
    'filterPEM',
    ofStrings(2, T.string, ([type, text], call) => {
      call.allocate(2 * text.length);
      return filterPem(type, text);
    }),
  ],
  [
    'filterCertChain',
    ofStrings(2, T.string, ([part, text], call) => {
      const count = countBlocks(text);
      call.spend(count * (STEPS_A_CERTIFICATE + count));
      call.allocate(2 * text.length);
      return filterCertChain(part, text);
    }),
  ],
  [
    'certSANs',
    ofStrings(1, STRINGS, ([text], call) => {
      call.spend(STEPS_A_CERTIFICATE);
      call.allocate(2 * text.length);
      return strings(certSans(text));
    }),
  ],
]);
