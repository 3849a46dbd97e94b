import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isLoopbackAddress, isMetadataAddress, literalAddress, refusalOf } from './addresses.ts';

const ALWAYS_REFUSED: Record<string, RegExp> = {
  '169.254.169.254': /cloud metadata/,
  '169.254.170.23': /cloud metadata/,
  '169.254.1.1': /link-local/,
  '100.100.100.200': /cloud metadata/,
  '168.63.129.16': /cloud metadata/,
  '0.0.0.0': /unspecified/,
  '0.1.2.3': /unspecified/,
  '224.0.0.1': /multicast/,
  '239.255.255.255': /multicast/,
  '255.255.255.255': /reserved/,
  '::': /unspecified/,
  'fe80::1': /link-local/,
  'fe80::1%eth0': /link-local/,
  'febf::1': /link-local/,
  'fd00:ec2::254': /cloud metadata/,
  'ff02::1': /multicast/,
  '::ffff:169.254.169.254': /cloud metadata/,
  '::ffff:a9fe:a9fe': /cloud metadata/,
  '::ffff:0:a9fe:a9fe': /cloud metadata/,
  '::169.254.169.254': /cloud metadata/,
  '64:ff9b::169.254.169.254': /cloud metadata/,
  '64:ff9b:1::a9fe:a9fe': /cloud metadata/,
  '2002:a9fe:a9fe::1': /cloud metadata/,
};
const LOOPBACK = ['127.0.0.1', '127.255.0.1', '::1', '::ffff:127.0.0.1', '64:ff9b::7f00:1', '2002:7f00:1::'];
const ALLOWED = [
  '10.0.0.1',
  '172.16.0.1',
  '192.168.1.1',
  '100.64.0.1',
  '8.8.8.8',
  'fd12::1',
  '2001:db8::1',
  '::ffff:10.0.0.1',
];

describe('addresses', () => {
  for (const [address, kind] of Object.entries(ALWAYS_REFUSED)) {
    test(`${address} is never contacted`, () => {
      assert.match(refusalOf(address, true) ?? '', kind);
      assert.match(refusalOf(address, false) ?? '', kind);
    });
  }
  for (const address of LOOPBACK) {
    test(`${address} only with --allow-loopback`, () => {
      assert.equal(refusalOf(address, true), undefined);
      assert.match(refusalOf(address, false) ?? '', /loopback.*--allow-loopback/);
    });
  }
  for (const address of ALLOWED) {
    test(`${address} may be contacted`, () => assert.equal(refusalOf(address, false), undefined));
  }
});

test('what an address is, where that matters', () => {
  for (const address of LOOPBACK) assert.ok(isLoopbackAddress(address) && !isMetadataAddress(address));
  for (const [address, kind] of Object.entries(ALWAYS_REFUSED)) {
    assert.equal(isMetadataAddress(address), kind.test('is a cloud metadata address'), address);
    assert.equal(isLoopbackAddress(address), false);
  }
  for (const address of ALLOWED) assert.ok(!isLoopbackAddress(address) && !isMetadataAddress(address));
});

describe('literalAddress sees through every spelling', () => {
  for (const [url, address] of [
    ['http://2852039166/', '169.254.169.254'],
    ['http://0xa9fea9fe/', '169.254.169.254'],
    ['http://0251.0376.0251.0376/', '169.254.169.254'],
    ['http://169.254.43518/', '169.254.169.254'],
    ['http://127.1/', '127.0.0.1'],
    ['http://１２７.0.0.1/', '127.0.0.1'],
    ['http://127。0。0。1/', '127.0.0.1'],
    ['http://[::1]:8200/', '::1'],
    ['http://[::ffff:127.0.0.1]/', '::ffff:7f00:1'],
    ['http://vault.example.com/', undefined],
    ['http://127.0.0.1.example.com/', undefined],
  ] as const) {
    test(url, () => assert.equal(literalAddress(new URL(url)), address));
  }
});
