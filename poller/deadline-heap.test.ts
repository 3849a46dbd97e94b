import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Deadline, DeadlineHeap } from './deadline-heap.ts';

test('gives what was put in and not taken out, in the order of the deadlines', () => {
  const step = fc.record({ due: fc.integer({ min: 0, max: 20 }), remove: fc.boolean(), which: fc.nat() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const heap = new DeadlineHeap<Deadline>();
      const inside: Deadline[] = [];
      for (const { due, remove, which } of steps) {
        if (remove && inside.length > 0) {
          const [gone] = inside.splice(which % inside.length, 1);
          if (gone === undefined) continue;
          heap.remove(gone);
          heap.remove(gone);
        } else {
          const item = { due, place: -1 };
          inside.push(item);
          heap.push(item);
        }
        assert.equal(heap.size, inside.length);
      }
      const out: number[] = [];
      for (let next = heap.peek(); next !== undefined; next = heap.peek()) {
        out.push(next.due);
        heap.remove(next);
      }
      assert.deepEqual(
        out,
        inside.map(({ due }) => due).sort((a, b) => a - b),
      );
    }),
  );
});
