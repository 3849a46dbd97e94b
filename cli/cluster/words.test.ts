import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatAge, formatTable, Progress } from './words.ts';

test('ages have two units at most', () => {
  const ages = [0, 999, 1_000, 61_000, 3_600_000, 3_661_000, 90_000_000, 864_000_000].map(formatAge);
  assert.deepEqual(ages, ['0s', '0s', '1s', '1m1s', '1h', '1h1m', '1d1h', '10d']);
});

test('columns are as wide as they need to be', () => {
  assert.equal(
    formatTable([
      ['A', 'LONG'],
      ['abc', 'x'],
      ['', ''],
    ]),
    'A    LONG\nabc  x\n\n',
  );
});

test('progress is shown on a terminal only, and wiped away', () => {
  const seen = (progress: boolean): string => {
    let text = '';
    const terminal = {
      out: () => {},
      error: (more: string) => {
        text += more;
      },
      progress,
      readInput: async () => Buffer.from(''),
    };
    const line = new Progress(terminal);
    line.show('1 of 2');
    line.clear();
    line.clear();
    return text;
  };
  assert.equal(seen(true), '\r\u001b[K1 of 2\r\u001b[K');
  assert.equal(seen(false), '');
});
