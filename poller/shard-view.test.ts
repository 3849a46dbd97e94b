/** The protocol by which replicas share the objects: single steps, then many members in a world that goes wrong. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type MemberState, ShardView } from './shard-view.ts';

const DURATION = 10_500;
const DEADLINE = 7_500;
const KEYS = Array.from({ length: 24 }, (_, index) => `ns-${index % 5}/app-${index}`);

let rounds = 0;
const newRound = (): string => `r${rounds++}`;

/** A view whose work ends at once, with a clock that the test moves. */
function member(id: string, more: { mayGain?: () => boolean } = {}) {
  let now = 1_000;
  const events: string[] = [];
  const view: ShardView = new ShardView({
    id,
    clock: { now: () => 0, monotonic: () => now },
    renewDeadlineMs: DEADLINE,
    newRound,
    ...more,
    onLost: (round, expired) => {
      events.push(expired ? 'expired' : 'lost');
      if (drains) view.drained(round);
      else pending = round;
    },
    onGained: () => void events.push('gained'),
    onPublication: () => void events.push('published'),
  });
  let drains = true;
  let pending = '';
  let renewals = 0;
  return {
    view,
    events,
    pass: (ms: number) => {
      now += ms;
      view.check();
    },
    /** Time passes and nobody looks. */
    sleep: (ms: number) => {
      now += ms;
    },
    renew: (sentAt = now) => {
      renewals += 1;
      return view.renewed(sentAt);
    },
    holdWork: () => {
      drains = false;
    },
    endWork: () => view.drained(pending),
    /** As its Lease shows it. */
    state: (): MemberState => ({
      id,
      stamp: `${id} ${renewals}`,
      silenceMs: DURATION,
      released: false,
      ...view.publication,
    }),
    owned: () => KEYS.filter((key) => view.owns(key)),
  };
}

type Member = ReturnType<typeof member>;

/** Each reads what the others have published until nobody has anything new to say. */
function gossip(...members: readonly Member[]): void {
  for (let turn = 0; turn < 4; turn += 1) {
    for (const from of members) for (const to of members) to.view.seen(from.state());
  }
}

function join(one: Member, present: readonly Member[] = []): void {
  const term = one.renew();
  assert.ok(term !== undefined, 'a new member has to list');
  one.view.listed(
    term,
    present.map((other) => other.state()),
  );
}

test('one replica has everything as soon as it has listed, and nothing before', () => {
  const one = member('one');
  assert.deepEqual(one.owned(), []);
  const term = one.renew();
  assert.deepEqual(one.owned(), []);
  one.view.listed(term ?? -1, []);
  assert.deepEqual(one.owned(), KEYS);
  assert.equal(one.view.settled, true);
});

test('who joins begins when the other has ended its work and said so', () => {
  const [one, two] = [member('one'), member('two')];
  join(one);
  join(two, [one]);
  one.holdWork();
  gossip(one, two);
  assert.deepEqual(two.owned(), [], 'work of the first is still under way');
  const kept = one.owned();
  assert.ok(kept.length > 0 && kept.length < KEYS.length, 'what it loses it does not begin any more');
  one.endWork();
  assert.deepEqual(two.owned(), [], 'not said yet');
  gossip(one, two);
  assert.deepEqual([...one.owned(), ...two.owned()].sort(), [...KEYS].sort());
  assert.equal(one.view.settled && two.view.settled, true);
});

test('a member that was silent for its duration is gone only when a live read confirms it', () => {
  const [one, two] = [member('one'), member('two')];
  join(one);
  join(two, [one]);
  gossip(one, two);
  const part = one.owned();
  for (let passed = 0; passed < DURATION; passed += 5_000) {
    one.pass(5_000);
    one.renew();
  }
  const [suspect] = one.view.suspects();
  assert.equal(suspect?.id, 'two');
  assert.deepEqual(one.owned(), part);
  assert.ok(suspect);
  one.view.silent({ ...suspect, stamp: 'what was read is newer' });
  assert.deepEqual(one.owned(), part);
  one.view.silent(suspect);
  assert.deepEqual(one.owned(), KEYS);
});

test('the Lease of a member that works is deleted by somebody: it keeps its time', () => {
  const [one, two] = [member('one'), member('two')];
  join(one);
  join(two, [one]);
  gossip(one, two);
  one.view.gone('two');
  assert.deepEqual(one.view.members, ['one', 'two']);
  two.view.lost();
  assert.deepEqual(two.owned(), []);
  one.pass(DEADLINE - 1);
  one.renew();
  one.pass(DURATION - DEADLINE + 1);
  assert.deepEqual(
    one.view.suspects().map(({ id }) => id),
    ['two'],
  );
  one.view.missing('two');
  assert.deepEqual(one.owned(), KEYS);
});

test('who leaves is followed at once', () => {
  const [one, two] = [member('one'), member('two')];
  join(one);
  join(two, [one]);
  gossip(one, two);
  one.view.seen({ ...two.state(), stamp: 'left', released: true });
  assert.deepEqual(one.owned(), KEYS);
  one.view.gone('two');
  assert.equal(one.view.knows('two'), false);
});

test('who could not renew in time has nothing, and lists anew before it has something again', () => {
  const [one, two] = [member('one'), member('two')];
  join(one);
  join(two, [one]);
  gossip(one, two);
  const before = two.state();
  two.pass(DEADLINE);
  assert.deepEqual(two.owned(), []);
  assert.equal(two.events.at(-1), 'expired');
  assert.notEqual(two.state().view, before.view, 'its promise is withdrawn');
  const term = two.renew();
  assert.ok(term !== undefined);
  assert.deepEqual(two.owned(), []);
  one.renew();
  two.view.listed(term, [one.state()]);
  assert.deepEqual(two.owned(), [], 'the first has not answered to the new round');
  gossip(one, two);
  assert.ok(two.owned().length > 0);
});

test('a renewal that was answered too late does not hide that the deadline had passed', () => {
  const one = member('one');
  join(one);
  one.events.length = 0;
  one.sleep(DEADLINE + 1);
  assert.ok(one.renew(1_000 + DEADLINE - 1) !== undefined, 'it has to list again');
  assert.deepEqual(one.events, ['expired']);
  assert.deepEqual(one.owned(), []);
});

test('while somebody works who is no member, nothing is begun', () => {
  let alone = false;
  const one = member('one', { mayGain: () => alone });
  join(one);
  assert.deepEqual(one.owned(), []);
  alone = true;
  one.pass(1);
  assert.deepEqual(one.owned(), KEYS);
});

/** mulberry32: the same numbers each time for one seed. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const STEP = 100;
/** Milliseconds between two renewals. */
const RENEW = 2_500;

/**
 * Members in one cluster, step by step: requests take their time, each watch lags behind by its own, processes are
 * paused, killed, started and cut off, work takes up to four seconds, and all clocks show something else.
 */
class World {
  readonly #random: () => number;
  now = 0;
  /** Every write of a Lease in order; undefined: deleted. */
  readonly log: { readonly at: number; readonly id: string; readonly state: MemberState | undefined }[] = [];
  readonly leases = new Map<string, MemberState>();
  readonly nodes: Node[] = [];
  /** Requests on their way to the server, which works on whether or not the sender does. */
  pending: { readonly at: number; readonly run: () => void }[] = [];

  constructor(seed: number) {
    this.#random = random(seed);
  }

  chance(probability: number): boolean {
    return this.#random() < probability;
  }

  between(low: number, high: number): number {
    return Math.round(low + this.#random() * (high - low));
  }

  write(id: string, state: MemberState | undefined): void {
    if (state === undefined) this.leases.delete(id);
    else this.leases.set(id, state);
    this.log.push({ at: this.now, id, state });
  }

  start(): void {
    this.nodes.push(new Node(this, `n${this.nodes.length}`));
  }

  get running(): readonly Node[] {
    return this.nodes.filter(({ dead }) => !dead);
  }

  step(): void {
    this.now += STEP;
    const due = this.pending.filter(({ at }) => at <= this.now).sort((a, b) => a.at - b.at);
    this.pending = this.pending.filter(({ at }) => at > this.now);
    for (const { run } of due) run();
    for (const node of this.running) node.step();
  }

  /** No object is in two hands. */
  check(): void {
    for (const key of KEYS) {
      const busy = this.running.filter((node) => node.works(key)).map(({ id }) => id);
      assert.ok(busy.length <= 1, `at ${this.now} ${key} is with ${busy.join(' and ')}`);
    }
  }
}

class Node {
  readonly id: string;
  readonly #world: World;
  readonly #offset: number;
  readonly view: ShardView;
  readonly #work = new Map<string, number>();
  /** Requests under way: what happens at which time, at the server first and then here. */
  #requests: { readonly at: number; readonly run: () => void }[] = [];
  #seen = 0;
  #lag = 0;
  #renewAt = 0;
  #renewing = false;
  #stamp = 0;
  /** Stamp of the last own write that is known to have succeeded, or of what was found instead. */
  #written: string | undefined;
  #draining: string | undefined;
  #reading = new Set<string>();
  pausedUntil = 0;
  cutUntil = 0;
  leaving = false;
  dead = false;

  constructor(world: World, id: string) {
    this.#world = world;
    this.id = id;
    this.#offset = world.between(-1e9, 1e9);
    this.view = new ShardView({
      id,
      clock: { now: () => 0, monotonic: () => this.#clock },
      renewDeadlineMs: DEADLINE,
      newRound,
      onLost: (round, expired) => {
        this.#draining = round;
        if (expired) this.#work.clear();
      },
      onGained: () => {},
      onPublication: () => {
        this.#renewAt = 0;
      },
    });
  }

  get #clock(): number {
    return this.#world.now + this.#offset;
  }

  /** Could write now: its write fence looks at the clock and nothing else. */
  works(key: string): boolean {
    return this.#work.has(key) && this.view.valid();
  }

  step(): void {
    const world = this.#world;
    if (world.now < this.pausedUntil) return;
    // What comes first when a paused process goes on is not in its hands.
    const parts = [() => this.#timers(), () => this.#answers(), () => this.#watch(), () => this.#tend()];
    const first = world.between(0, parts.length - 1);
    for (let index = 0; index < parts.length; index += 1) parts[(first + index) % parts.length]?.();
  }

  /** @param serve at the API server @param then here */
  #request<T>(serve: () => T, then: (answer: T) => void, failed: () => void): void {
    const world = this.#world;
    const there = world.now + world.between(0, world.chance(0.05) ? 4_000 : 200);
    const back = there + world.between(0, world.chance(0.05) ? 4_000 : 200);
    let answer: T | undefined;
    const cut = world.now < this.cutUntil;
    world.pending.push({
      at: there,
      run: () => {
        if (!cut) answer = serve();
      },
    });
    this.#requests.push({
      at: back,
      run: () => {
        if (cut || world.now < this.cutUntil) failed();
        else then(answer as T);
      },
    });
  }

  #answers(): void {
    const due = this.#requests.filter(({ at }) => at <= this.#world.now);
    this.#requests = this.#requests.filter(({ at }) => at > this.#world.now);
    for (const { run } of due) run();
  }

  #timers(): void {
    this.view.check();
    if (this.#renewing || this.#world.now < this.#renewAt) return;
    this.#renewing = true;
    this.#renewAt = this.#world.now + RENEW;
    const sentAt = this.#clock;
    const released = this.leaving && this.#work.size === 0;
    const before = this.#written;
    this.#stamp += 1;
    const state: MemberState = {
      id: this.id,
      stamp: String(this.#stamp),
      silenceMs: DURATION,
      released,
      ...this.view.publication,
    };
    this.#request(
      () => {
        const current = this.#world.leases.get(this.id);
        if (current?.stamp !== before) return current;
        this.#world.write(this.id, state);
        return undefined;
      },
      (conflict) => {
        this.#renewing = false;
        if (conflict !== undefined) {
          // A write whose answer was lost, or others have found this one dead.
          this.#written = conflict.stamp;
          this.#renewAt = 0;
          if (conflict.released) this.view.lost();
          return;
        }
        this.#written = state.stamp;
        if (released) this.dead = true;
        const term = this.view.renewed(sentAt);
        if (term !== undefined) this.#list(term);
      },
      () => {
        this.#renewing = false;
      },
    );
  }

  #list(term: number): void {
    this.#request(
      () => [...this.#world.leases.values()],
      (states) => this.view.listed(term, states),
      () => {},
    );
  }

  #watch(): void {
    const world = this.#world;
    if (world.now < this.cutUntil) return;
    if (world.chance(0.02)) this.#lag = world.chance(0.2) ? world.between(0, 20_000) : world.between(0, 300);
    for (let event = world.log[this.#seen]; event !== undefined; event = world.log[this.#seen]) {
      if (event.at > world.now - this.#lag) return;
      this.#seen += 1;
      if (event.state === undefined) this.view.gone(event.id);
      else this.view.seen(event.state);
    }
  }

  /** Work ends, begins, and is waited for; who fell silent is looked at. */
  #tend(): void {
    const world = this.#world;
    for (const [key, end] of this.#work) if (end <= world.now) this.#work.delete(key);
    for (const key of KEYS) {
      if (!this.leaving && !this.#work.has(key) && this.view.owns(key) && world.chance(0.3))
        this.#work.set(key, world.now + world.between(0, 4_000));
    }
    if (this.#draining !== undefined && [...this.#work.keys()].every((key) => this.view.owns(key))) {
      const round = this.#draining;
      this.#draining = undefined;
      this.view.drained(round);
    }
    for (const suspect of this.view.suspects()) {
      const { id } = suspect;
      if (this.#reading.has(id)) continue;
      this.#reading.add(id);
      this.#request(
        () => {
          const state = world.leases.get(id);
          // In one step here, in two on the wire: what changes between them is a conflict.
          if (state?.stamp === suspect.stamp && world.chance(0.5))
            world.write(id, { ...state, stamp: `${state.stamp} buried by ${this.id}`, released: true });
          return state;
        },
        (state) => {
          this.#reading.delete(id);
          if (state === undefined) this.view.missing(id);
          else if (suspect.stamp === state.stamp) this.view.silent(suspect);
          else this.view.seen(state);
        },
        () => this.#reading.delete(id),
      );
    }
  }
}

/** Something happens, now and then. */
function disturb(world: World): void {
  const nodes = world.running;
  const victim = nodes[world.between(0, nodes.length - 1)];
  if (victim === undefined || nodes.length < 5) {
    if (world.chance(0.03)) world.start();
  }
  if (victim === undefined) return;
  if (world.chance(0.01)) victim.pausedUntil = world.now + world.between(500, 30_000);
  if (world.chance(0.01)) victim.cutUntil = world.now + world.between(500, 30_000);
  if (nodes.length > 1 && world.chance(0.004)) victim.dead = true;
  if (nodes.length > 1 && world.chance(0.004)) victim.leaving = true;
}

test('whatever goes wrong, no object is with two members, and afterwards each is with one', () => {
  let handovers = 0;
  for (let seed = 1; seed <= 20; seed += 1) {
    const world = new World(seed);
    for (let count = 0; count < 3; count += 1) world.start();
    for (let step = 0; step < 1_500; step += 1) {
      disturb(world);
      world.step();
      world.check();
    }
    handovers += world.nodes.length;
    for (const node of world.running) node.cutUntil = node.pausedUntil = 0;
    if (world.running.every(({ leaving }) => leaving)) world.start();
    // Watches may lag for 20 s and a request take 8 s; everybody needs to hear of everybody twice.
    for (let step = 0; step < 1_200; step += 1) {
      world.step();
      world.check();
    }
    for (const key of KEYS) {
      const owners = world.running.filter(({ view }) => view.owns(key));
      assert.equal(owners.length, 1, `seed ${seed}: ${key} is with ${owners.length} members`);
    }
  }
  assert.ok(handovers > 100, `${handovers} members in all`);
});
