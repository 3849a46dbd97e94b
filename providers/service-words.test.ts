import assert from 'node:assert/strict';
import { test } from 'node:test';
import { serviceWords } from './service-words.ts';

test('what differs each time is left out', () => {
  assert.equal(
    serviceWords(
      'AADSTS7000215: Invalid client secret provided. Trace ID: 8c4d-1\r\nCorrelation ID: 77-a Timestamp: 2026-11-22 10:11:12Z',
    ),
    'AADSTS7000215: Invalid client secret provided',
  );
  assert.equal(serviceWords('denied (request id: abc-1)'), 'denied');
});

test('no credential is in it, and no more than a line', () => {
  const jwt = `eyJ${'a'.repeat(20)}.eyJ${'b'.repeat(20)}.sig`;
  for (const token of [jwt, 'ya29.c.SENTINEL-1', 'ghs_SENTINEL', 'ASIASENTINELSENTINEL']) {
    assert.equal(serviceWords(`refused ${token} here`), 'refused [redacted] here');
  }
  assert.equal(serviceWords('Bearer abc.def= is bad'), 'Bearer [redacted] is bad');
  assert.equal(serviceWords('two\nlines\u2028three'), 'two lines three');
  assert.equal(serviceWords('x'.repeat(400)).length, 303);
});
