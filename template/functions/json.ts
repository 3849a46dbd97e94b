/** The JSON functions of sprig. Those with `must` fail where the others give nothing; toRawJson fails as well. */
import type { Call, FunctionMap, GoFunction } from '../function.ts';
import { type GoValue, T } from '../value.ts';
import { stringAt } from './arguments.ts';
import { attempt } from './cast.ts';
import { anyAt, fixed } from './declare.ts';
import { decodeJson } from './json-decode.ts';
import { encodeJson, type JsonFormat } from './json-encode.ts';

const COMPACT: JsonFormat = { escapeHtml: true, pretty: false, pointer: false };
const PRETTY: JsonFormat = { escapeHtml: true, pretty: true, pointer: false };
const RAW: JsonFormat = { escapeHtml: false, pretty: false, pointer: true };

const strict = (format: JsonFormat): GoFunction =>
  fixed([T.any], T.string, (args, call) => encodeJson(anyAt(args, 0), format, call));

const lenient = (format: JsonFormat): GoFunction =>
  fixed([T.any], T.string, (args, call) =>
    attempt<GoValue>(() => encodeJson(anyAt(args, 0), format, call), ''),
  );

function decodeOrFail(text: string, call: Call): GoValue {
  const { value, failure } = decodeJson(text, call);
  if (failure !== undefined) throw failure;
  return value;
}

export const JSON_FUNCTIONS: FunctionMap = new Map([
  ['toJson', lenient(COMPACT)],
  ['toPrettyJson', lenient(PRETTY)],
  ['toRawJson', strict(RAW)],
  ['mustToJson', strict(COMPACT)],
  ['mustToPrettyJson', strict(PRETTY)],
  ['mustToRawJson', strict(RAW)],
  [
    'fromJson',
    fixed([T.string], T.any, (args, call) =>
      attempt<GoValue>(() => decodeJson(stringAt(args, 0), call).value, null),
    ),
  ],
  ['mustFromJson', fixed([T.string], T.any, (args, call) => decodeOrFail(stringAt(args, 0), call))],
]);
