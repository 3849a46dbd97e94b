// biome-ignore-all lint/suspicious/noTemplateCurlyInString: they are what lodash's templates are written with
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { runInNewContext } from 'node:vm';
import { systemClock } from '../../api/clock.ts';
import { EsaError } from '../../api/errors.ts';
import { Budget, DEFAULT_LIMITS } from '../budget.ts';
import { checkLodash, isLodash, renderLodash } from './lodash.ts';
import { programOf } from './source.ts';

const render = (text: string, data: Readonly<Record<string, string>> = {}): string =>
  renderLodash(text, new Map(Object.entries(data)));

/** The example of kubernetes-external-secrets' README: two secrets of Vault, and what becomes of them. */
const README = { s1: '{"intKey":11,"objKey":{"strKey":"hello world"}}', s2: '{"arrKey":[1,2,3]}' };

describe("the worked example of kubernetes-external-secrets' README", () => {
  const cases: readonly (readonly [string, string, string])[] = [
    [
      'data: JSON of a part, in base64',
      '<%= Buffer.from(JSON.stringify(JSON.parse(data.s1).objKey)).toString("base64") %>\n',
      'eyJzdHJLZXkiOiJoZWxsbyB3b3JsZCJ9\n',
    ],
    ['label1: a number', '<%= JSON.parse(data.s1).intKey %>', '11'],
    ['label2: a method', '<%= JSON.parse(data.s1).objKey.strKey.replace(" ", "-") %>', 'hello-world'],
    [
      'K6 stringData: YAML, a variable and a loop over several tags',
      '<%= yaml.dump(JSON.parse(data.s1)) %>\n<% let s2 = JSON.parse(data.s2) %><% s2.arrKey.forEach((e, i) => { %>arr_<%= i %>: <%= e %>\n<% }) %>`\n',
      Buffer.from(
        'aW50S2V5OiAxMQpvYmpLZXk6CiAgc3RyS2V5OiBoZWxsbyB3b3JsZAoKYXJyXzA6IDEKYXJyXzE6IDIKYXJyXzI6IDMKYAo=',
        'base64',
      ).toString(),
    ],
  ];
  for (const [name, text, expected] of cases) test(name, () => assert.equal(render(text, README), expected));
});

describe('what a template may say', () => {
  const data = {
    a: 'x<&>y',
    n: '3',
    list: '["b","a","c"]',
    map: '{"host":"db","port":5432,"tls":null}',
    url: 'postgres://u:p@db:5432/x',
    unicode: 'pä€𝕏',
  };
  const cases: readonly (readonly [string, string])[] = [
    ['plain $HOME text } %>', 'plain $HOME text } %>'],
    ['${data.a}|<%= data.a %>|<%- data.a %>', 'x<&>y|x<&>y|x&lt;&amp;&gt;y'],
    ['a key that is missing: <%= data.none %>.', 'a key that is missing: .'],
    [
      '<%= data["n"] + 1 %> <%= +data.n + 1 %> <%= data.n * 2 - 1 %> <%= 7 % 4 %> <%= 2 ** 3 %>',
      '31 4 5 3 8',
    ],
    ['<%= data.unicode %>', 'pä€𝕏'],
    ['<%= Buffer.from(data.unicode).toString("base64") %>', Buffer.from('pä€𝕏').toString('base64')],
    ['<%= Buffer.from("cMOk", "base64").toString() %>', 'pä'],
    ['<%= `${data.n}/${1 + 1}` %>', '3/2'],
    ['<% if (data.n === "3") { %>yes<% } else { %>no<% } %>', 'yes'],
    ['<% for (const x of JSON.parse(data.list)) { %><%= x %>;<% } %>', 'b;a;c;'],
    ['<% for (let i = 0; i < 3; i++) { if (i == 1) continue; %><%= i %><% } %>', '02'],
    ['<% for (const k in JSON.parse(data.map)) { %><%= k %> <% } %>', 'host port tls '],
    ['<% var s = ""; for (var i = 0; ; i += 1) { if (i > 2) break; s += i } %><%= s %>', '012'],
    [
      '<%= Object.entries(JSON.parse(data.map)).map(([k, v]) => `${k}=${v}`).join("&") %>',
      'host=db&port=5432&tls=null',
    ],
    ['<%= JSON.parse(data.list).sort().reverse().map(String).join() %>', 'c,b,a'],
    ['<%= JSON.parse(data.list).filter(function (x) { return x !== "a" }).length %>', '2'],
    [
      '<%= JSON.stringify({ ...JSON.parse(data.map), port: 1, [data.n]: [true] }) %>',
      '{"3":[true],"host":"db","port":1,"tls":null}',
    ],
    ['<%= JSON.parse(data.map).tls?.cert ?? "none" %>', 'none'],
    ['<%= JSON.parse(data.map).port > 1000 ? "high" : "low" %>', 'high'],
    ['<%= data.url.match(/^(\\w+):\\/\\/([^:]+):/)[2] %>', 'u'],
    [
      '<%= "a-b-c".replace(/-/g, "_") %> <%= "a.b".split(".").length %> <%= "aXbX".replaceAll("X", "$&$&") %>',
      'a_b_c 2 aXXbXX',
    ],
    ['<%= "john smith".replace(/(\\w+) (\\w+)/, "$2 $1") %>', 'smith john'],
    ['<%= encodeURIComponent("a b&c") %> <%= _.escape("<") %> <%= parseInt("12px") %>', 'a%20b%26c &lt; 12'],
    ['<% print("a", 1) %>', 'a1'],
    ['<%= yaml.load("a: [1, yes]").a[1] %>', 'true'],
    ['<%= ["10", "10"].map(parseInt) %> <%= ["a", ""].filter(Boolean).length %>', '10,NaN 1'],
    [
      '<%= "abcabc".indexOf("a", 1) %><%= "abc".startsWith("b", 1) %><%= [1, 2].includes(1, 1) %>',
      '3truefalse',
    ],
    ['<%= JSON.stringify([1], null, 1) %>', '[\n 1\n]'],
    ['<%= [1, [2, 3]] %> <%= {} %> <%= null %>', '1,2,3 [object Object] '],
    ['<%= data.n == 3 %> <%= data.n != "3" %> <%= data.none == null %>', 'true false true'],
    ['<%= typeof data.none === "undefined" && !data.none %>', 'true'],
    ['<%= "x".padStart(3, "0") %> <%= "ab".repeat(2) %> <%= (3.14159).toFixed(2) %>', '00x abab 3.14'],
    [
      '<% const [first, second] = JSON.parse(data.list), { host } = JSON.parse(data.map) %><%= first + second + host %>',
      'badb',
    ],
    ['<%= [3, 1, 2].sort((a, b) => a - b) %> <%= [1, 2].reduce((s, x) => s + x, 0) %>', '1,2,3 3'],
    ['<%= data.n /* a comment */ // and another %>', '3'],
    ['<%- undefined %><%= "constructor" in data %>', 'false'],
  ];
  for (const [text, expected] of cases) {
    test(text, () => {
      assert.equal(checkLodash(text), undefined);
      assert.equal(render(text, data), expected);
      // What is no part of the language itself has no counterpart to compare with.
      if (!/yaml|_\.|print|<%-/.test(text)) assert.equal(renderAsJavaScript(text, data), expected);
    });
  }
});

/** What JavaScript itself makes of the program that a text stands for. */
function renderAsJavaScript(text: string, data: Readonly<Record<string, string>>): string {
  const { program, texts } = programOf(text);
  let out = '';
  const context = {
    data,
    Buffer,
    $esa_text: (index: number) => {
      out += texts[index];
    },
    $esa_value: (value: unknown) => {
      out += [value].join('');
    },
  };
  runInNewContext(program, context);
  return out;
}

describe('what a template may not say is refused without running it', () => {
  const cases: readonly (readonly [string, string])[] = [
    [
      '<%= process.env.HOME %>',
      'line 1, column 5: there is no process: the fetched values are the members of data',
    ],
    ['a\n  ${HOST}', 'line 2, column 5: there is no HOST: the fetched values are the members of data'],
    ['<%= data.constructor %>', 'line 1, column 10: constructor cannot be used in a template'],
    ['<%= data["__proto__"] %>', 'line 1, column 10: __proto__ cannot be used in a template'],
    [
      '<%= data.a.constructor.constructor("return process")() %>',
      'line 1, column 5: only methods and named functions can be called',
    ],
    ['<%= "".constructor("x") %>', 'line 1, column 8: constructor cannot be used in a template'],
    ['<%= this.process %>', 'line 1, column 5: this cannot be used in a template'],
    ['<%= global %>', 'line 1, column 5: there is no global: the fetched values are the members of data'],
    [
      '<%= require("fs") %>',
      'line 1, column 5: there is no require: the fetched values are the members of data',
    ],
    ['<%= eval("1") %>', 'line 1, column 5: there is no eval: the fetched values are the members of data'],
    ['<%= new Date() %>', 'line 1, column 5: new cannot be used in a template'],
    ['<%= import("fs") %>', 'line 1, column 5: import cannot be used in a template'],
    ['<% function f() {} %>', 'line 1, column 4: a named function cannot be used in a template'],
    [
      '<% let f = () => 1 %>',
      'line 1, column 12: a function can only be an argument of a method such as forEach',
    ],
    ['<%= (() => 1)() %>', 'line 1, column 6: only methods and named functions can be called'],
    ['<% class A {} %>', 'line 1, column 4: a class cannot be used in a template'],
    ['<% try { } catch { } %>', 'line 1, column 4: try cannot be used in a template'],
    ['<% data.x = 1 %>', 'line 1, column 4: only a variable can be assigned to'],
    ['<% delete data.x %>', 'line 1, column 4: the operator delete cannot be used in a template'],
    ['<%= data.a.toSource() %>', 'line 1, column 12: there is no method toSource'],
    ['<%= data.a["trim"]() %>', 'line 1, column 5: a method is called by its name, not by an expression'],
    ['<%= Object.getPrototypeOf(data) %>', 'line 1, column 5: there is no function Object.getPrototypeOf'],
    ['<%= Object["keys"](data) %>', 'line 1, column 5: there is no function Object[...]'],
    ['<%= JSON %>', 'line 1, column 5: JSON can only be called by one of its functions'],
    ['<%= data.a`x` %>', 'line 1, column 5: a tagged template cannot be used in a template'],
    ['<%= 1n %>', 'line 1, column 5: a bigint cannot be used in a template'],
    [
      '<%= /(?=a)/.test("a") %>',
      'line 1, column 5: the regular expression is none of RE2: invalid or unsupported Perl syntax',
    ],
    ['<%= data.a); $esa_value((data.b %>', 'line 1, column 12: Unexpected token'],
    ['<%= data.a)); $esa_value((data.b %>', 'line 1, column 12: unexpected )'],
    ['<% $esa_text(0) %>', 'line 1, column 4: the name $esa_text is not free'],
    ['<% let $esa_value = 1 %>', 'line 1, column 8: the name $esa_value is not free'],
    ['<% if (data.a) { %>', 'line 1, column 18: Unexpected token'],
    ['<%= data. %>', 'line 1, column 11: Unexpected token'],
    ['<% async () => { await 1 } %>', 'line 1, column 4: a function cannot be async or a generator'],
    [
      '<% for (const x of [1]) { var y = x => y } %>',
      'line 1, column 35: a function can only be an argument of a method such as forEach',
    ],
    [`<%= ${'('.repeat(300)}1${')'.repeat(300)} %>`, ''],
    [`<%= ${'!'.repeat(300)}1 %>`, 'line 1, column 203: nests more than 200 deep'],
    [`<%= 1${'+1'.repeat(300)} %>`, 'line 1, column 5: nests more than 200 deep'],
  ];
  for (const [text, expected] of cases) {
    test(text.slice(0, 60), () => {
      const problem = checkLodash(text);
      // Parentheses leave no trace in the tree.
      assert.equal(problem?.message ?? '', expected);
      if (problem !== undefined)
        assert.throws(() => render(text), { message: `template: ${problem.message}` });
    });
  }

  test('of any length', () => {
    assert.equal(checkLodash(`<%= 1 %>${'x'.repeat(1 << 20)}`), undefined);
    assert.equal(checkLodash('<%=1%>'.repeat(1 << 14))?.kind, 'budget');
    assert.equal(checkLodash(`<%= ${'/a/,'.repeat(30)}1 %>`)?.kind, 'budget');
    assert.notEqual(checkLodash(`<%= ${'['.repeat(100_000)} %>`), undefined);
  });
});

describe('values cannot be used to reach anything', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['<%= data[data.name] %>', ''],
    ['<%= JSON.parse(data.json)[data.name] %>', 'own'],
    ['<%= Object.keys(JSON.parse(data.json)) %>', '__proto__,constructor'],
    ['<%= [][data.name] %><%= ""[data.name] %><%= (1)[data.name] %>', ''],
    ['<%= Object.fromEntries([[data.proto, { polluted: 1 }]]).polluted %>', ''],
    ['<%= ({ [data.proto]: { polluted: 1 } }).polluted %>', ''],
    [
      '<%= JSON.stringify({ ...JSON.parse(data.json) }) %>',
      '{"__proto__":{"polluted":true},"constructor":"own"}',
    ],
    ['<%= yaml.load(data.json)[data.name] %>', 'own'],
  ];
  for (const [text, expected] of cases) {
    test(text, () => {
      const data = {
        name: 'constructor',
        proto: '__proto__',
        json: '{"__proto__":{"polluted":true},"constructor":"own"}',
      };
      assert.equal(render(text, data), expected);
      assert.equal('polluted' in {}, false);
    });
  }
});

describe('what fails while it runs says where and why, and never a value', () => {
  const SECRET = 's3cr3t-sentinel';
  const cases: readonly (readonly [string, string])[] = [
    ['<%= JSON.parse(data.x) %>', 'line 1, column 5: JSON.parse: the text is no JSON'],
    ['<%= JSON.parse(data.none).a %>', 'line 1, column 5: JSON.parse of undefined: there is no such key'],
    ['\n<%= data.none.length %>', 'line 2, column 15: cannot read a member of undefined'],
    ['<%= data.none.trim() %>', 'line 1, column 15: cannot call trim of undefined'],
    ['<%= data.x.forEach((x) => x) %>', 'line 1, column 12: a string has no method forEach'],
    ['<%= data.x.match(data.x) %>', 'line 1, column 12: match takes a regular expression, such as /a+/'],
    ['<%= [data.x].map(data.x) %>', 'line 1, column 14: a string is no function'],
    ['<%= Buffer.from(data.x, data.x) %>', 'no such encoding'],
    ['<%= yaml.load("- a: b: " + data.x) %>', 'line 1, column 5: yaml.load: the text is no YAML'],
    [
      '<%= yaml.load("a: &a [x,x,x,x,x,x,x,x,x]\\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\\ng: [*f,*f,*f,*f,*f,*f,*f,*f,*f]") %>',
      'yaml.load: the text is no YAML',
    ],
    ['<%= JSON.stringify(data.x, ["a"]) %>', 'JSON.stringify takes no replacer but null'],
    ['<%= JSON.parse("1", (k, v) => v) %>', 'JSON.parse takes one argument'],
    ['<%= yaml.dump(data.x, { indent: 4 }) %>', 'yaml.dump takes one argument'],
    ['<%= [[1]].flat(Infinity) %>', 'flat takes no depth but 1'],
    ['<%= Buffer.from(data.x).toString("hex", 1) %>', 'toString of a Buffer takes an encoding only'],
    ['<% for (const y of 3) { } %>', 'line 1, column 4: a number cannot be looped over'],
    ['<%= decodeURIComponent("%" + data.x) %>', 'the text cannot be encoded or decoded for a URI'],
    ['<% { let y = 1 } %><%= y %>', 'line 1, column 24: y is not defined here'],
    ['<%= data.x.repeat(-1) %>', 'repeat takes a number from 0 on'],
  ];
  for (const [text, expected] of cases) {
    test(text.trim(), () => {
      assert.equal(checkLodash(text), undefined);
      assert.throws(
        () => render(text, { x: SECRET }),
        (error) => {
          assert.ok(error instanceof EsaError);
          assert.equal(error.code, 'TEMPLATE_EXEC');
          assert.ok(error.message.includes(expected), error.message);
          assert.ok(!error.message.includes(SECRET), error.message);
          return true;
        },
      );
    });
  }
});

describe('a template cannot take more than its budget', () => {
  const cases: readonly string[] = [
    '<% while (true) { } %>',
    '<% for (;;) { } %>',
    '<% let s = "x"; while (true) { s += s } %>',
    '<% let s = "x"; for (let i = 0; i < 100; i++) s = `${s}${s}` %>',
    '<%= "x".repeat(1e9) %>',
    '<%= "x".padEnd(1e9) %>',
    '<%= "x".padStart(Infinity) %>',
    '<% let a = [1]; while (true) a = a.concat(a) %>',
    '<% let a = []; while (true) a.push(1) %>',
    '<% let a = []; a.push(a) %><%= a %>',
    '<% let a = []; a.push(a) %><%= JSON.stringify(a) %>',
    '<% let a = []; a.push(a) %><%= yaml.dump(a) %>',
    '<% let a = [1]; for (let i = 0; i < 1000; i++) a = [a] %><%= JSON.stringify(a) %>',
    '<% let a = [1,2,3,4,5,6,7,8]; a.forEach(() => a.forEach(() => a.forEach(() => a.forEach(() => a.forEach(() => a.forEach(() => a.forEach(() => { }))))))) %>',
    '<%= data.big.split("").map((c) => data.big.split("")) %>',
    '<%= data.big.replace(/x/g, data.big) %>',
    '<%= JSON.parse("[".repeat(1000) + "]".repeat(1000)) %>',
    '<% for (;;) { %>text<% } %>',
    '<%= data.big.match(/(x|y){50}z/) %>',
    '<%= /(x+x+)+y/.test(data.big) %><% for (;;) /(a|b|c|d){50}/.test(data.big) %>',
    '<% for (;;) [data.big].sort() %>',
  ];
  for (const text of cases) {
    test(text.slice(0, 70), () => {
      assert.equal(checkLodash(text), undefined);
      assert.throws(() => render(text, { big: 'x'.repeat(100_000) }), { code: 'TEMPLATE_BUDGET' });
    });
  }

  test('which several texts share', () => {
    const budget = new Budget(systemClock, { ...DEFAULT_LIMITS, steps: 50 });
    const text = '<% for (let i = 0; i < 3; i++) { %>x<% } %>';
    assert.equal(renderLodash(text, new Map(), budget), 'xxx');
    assert.throws(() => renderLodash(text, new Map(), budget), { code: 'TEMPLATE_BUDGET' });
  });
});

test('a text without tags is no template', () => {
  assert.equal(isLodash('a $b {{ .c }} %> }'), false);
  assert.equal(isLodash('a <%= 1 %>'), true);
  assert.equal(isLodash('${}'), false);
});
