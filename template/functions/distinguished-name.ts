/** X.500 names as crypto/x509/pkix prints them: `CN=a,O=b`, in the order and form of RFC 2253. */
import forge from 'node-forge';
import { runes } from '../utf8.ts';
import { fromUtf8, toUtf8 } from '../value.ts';
import { type Asn1, childrenOf, contentOf, derOf, oidOf, primitive } from './der.ts';

const { Type } = forge.asn1;

/** In the order in which Go puts a name together; others come before them, each on its own. */
const KNOWN: readonly (readonly [oid: string, name: string])[] = [
  ['2.5.4.6', 'C'],
  ['2.5.4.10', 'O'],
  ['2.5.4.11', 'OU'],
  ['2.5.4.7', 'L'],
  ['2.5.4.8', 'ST'],
  ['2.5.4.9', 'STREET'],
  ['2.5.4.17', 'POSTALCODE'],
  ['2.5.4.3', 'CN'],
  ['2.5.4.5', 'SERIALNUMBER'],
];

interface Attribute {
  readonly oid: string;
  /** A Go string. */
  readonly value: string;
}

/** The text of a directory string, whatever its encoding. forge hands out a BMPString as text, the others as bytes. */
function textOf(value: Asn1 | undefined): string {
  const content = contentOf(value);
  return value?.type === Type.BMPSTRING ? fromUtf8(content) : content;
}

/** Go's asn1.Marshal of a string. */
const marshalled = (text: string): string =>
  derOf(primitive(/^[A-Za-z0-9 '()+,\-./:=?*&]*$/.test(text) ? Type.PRINTABLESTRING : Type.UTF8, text));

/** What has a meaning in a name, and blanks at its ends, behind a backslash. */
const escapeValue = (text: string): string =>
  text.replace(/[,+"\\<>;]|^[ #]| $/g, (character) => `\\${character}`);

function attributeText({ oid, value }: Attribute): string {
  const name = KNOWN.find(([known]) => known === oid)?.[1];
  if (name !== undefined) return `${name}=${escapeValue(value)}`;
  return `${oid}=#${Buffer.from(marshalled(value), 'latin1').toString('hex')}`;
}

/** A name in DER as a Go string. */
export function nameText(name: Asn1): string {
  const attributes = childrenOf(name).flatMap((relative) =>
    childrenOf(relative).map((attribute): Attribute => {
      const [type, value] = childrenOf(attribute);
      return { oid: oidOf(type), value: textOf(value) };
    }),
  );
  const others = attributes.filter(({ oid }) => !KNOWN.some(([known]) => known === oid)).map((one) => [one]);
  // Only the last common name and serial number count; the others may be several.
  const known = KNOWN.map(([oid, label]) => {
    const all = attributes.filter((attribute) => attribute.oid === oid);
    return label === 'CN' || label === 'SERIALNUMBER'
      ? all.slice(-1).filter(({ value }) => value !== '')
      : all;
  });
  return [...others, ...known]
    .filter((relative) => relative.length > 0)
    .reverse()
    .map((relative) => relative.map(attributeText).join('+'))
    .join(',');
}

/** A Go string as BMPString (UTF-16 in DER); undefined if it has characters beyond the basic plane. */
export function bmpString(text: string): Asn1 | undefined {
  return runes(text).some((rune) => rune > 0xffff) ? undefined : primitive(Type.BMPSTRING, toUtf8(text));
}
