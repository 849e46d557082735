import { describe, expect, it } from '@jest/globals';
import { parseBatchRequest } from './batch-request.js';
import { parseUnitRequest } from './unit-request.js';

describe('parseUnitRequest', () => {
  it.each([
    { id: 1, op: 'lease', pool: 'slices', max: 20, waitSeconds: 60 },
    { id: 'a', op: 'complete', units: [{ id: 'unit_1', fence: 1, result: 'x', seconds: 0.5 }] },
    { id: null, op: 'fail', units: [{ id: 'unit_1', fence: 1, kind: 'RETURN', message: 'later' }] },
    { id: 3, op: 'extend', units: [{ id: 'unit_1', fence: 1 }] },
  ])('reads %j', (request) => {
    expect(parseUnitRequest(JSON.stringify(request))).toEqual(request);
  });

  it.each([
    ['{', null, 'the line is not JSON'],
    ['[]', null, 'the line is not a JSON object'],
    ['{"id":{},"op":"lease","pool":"x"}', null, 'id: must be a whole number'],
    ['{"id":4,"op":"take"}', 4, 'op: "take" is not valid; must be one of lease, complete, fail, extend'],
    ['{"op":"toString"}', null, 'op: "toString" is not valid'],
    ['{}', null, 'op: missing is not valid'],
    ['{"op":"lease"}', null, 'pool: missing; must be a text'],
    ['{"op":"lease","pool":"x","max":"many"}', null, 'max: "many" is not valid; must be a whole number'],
    ['{"op":"lease","pool":"x","max":0}', null, 'max: 0 is not valid; must be a whole number from 1 to 1000'],
    ['{"op":"lease","pool":"x","waitSeconds":-60}', null, 'waitSeconds: -60 is not valid; must be a whole'],
    [`{"op":"${'x'.repeat(1000)}"}`, null, 'xxx... is not valid; must be one of lease'],
    [
      '{"op":"lease","pool":"x","most":1}',
      null,
      '"most": unknown field; must be one of pool, max, waitSeconds',
    ],
    ['{"op":"complete","units":[]}', null, 'units: [] is not valid; must be a list of 1 to 1000 units'],
    ['{"op":"complete","units":[1]}', null, 'units.0: must be an object'],
    ['{"op":"complete","units":[{"id":"u"}]}', null, 'units.0.fence: missing; must be a whole number'],
    ['{"op":"fail","units":[{"id":"u","fence":1,"kind":"X"}]}', null, 'must be RETRY, DEAD or RETURN'],
    ['{"op":"extend","units":[{"id":"u","fence":1,"result":""}]}', null, 'units.0."result": unknown field'],
  ])('refuses %s', (line, id, reason) => {
    expect(parseUnitRequest(line)).toEqual({ id, reason: expect.stringContaining(reason) });
  });
});

describe('parseBatchRequest', () => {
  it('reads reports', () => {
    const text = [
      'complete unit_A.1.0 2 150 7-0-1',
      'complete unit_A.1.1 1 - 7-0-2',
      'fail unit_A.1.2 1 DEAD 7-0-3 The command ended with exit code 65.',
      'extend unit_A.1.3 4',
      'seen 7-0',
      'withdraw 7-1',
      'end\n',
    ].join('\n');
    expect(parseBatchRequest(text)).toEqual({
      completed: [
        { id: 'unit_A.1.0', fence: 2, seconds: 1.5, file: '7-0-1' },
        { id: 'unit_A.1.1', fence: 1, seconds: undefined, file: '7-0-2' },
      ],
      failed: [
        {
          id: 'unit_A.1.2',
          fence: 1,
          kind: 'DEAD',
          file: '7-0-3',
          message: 'The command ended with exit code 65.',
        },
      ],
      extended: [{ id: 'unit_A.1.3', fence: 4 }],
      seen: ['7-0'],
      withdrawn: ['7-1'],
      lease: undefined,
    });
  });

  it('reads a request for a batch', () => {
    expect(parseBatchRequest('seen 7-0\nlease 20 15 lines my pool\nend\n')).toMatchObject({
      seen: ['7-0'],
      lease: { pool: 'my pool', max: 20, waitSeconds: 15, asLines: true },
    });
  });

  it.each([
    ['one that is incomplete', 'extend unit_A 1\n', 'incomplete'],
    ['one without its last line break', 'extend unit_A 1\nend', 'incomplete'],
    ['a name of a file with a path', 'complete unit_A 1 - ../x\nend\n', 'invalid'],
    ['a name of an answer with a path', 'seen ../x\nend\n', 'invalid'],
    ['a name of a pool that is too long', `lease 1 1 files ${'x'.repeat(201)}\nend\n`, 'invalid'],
    ['an unknown verb', 'remove unit_A 1\nend\n', 'invalid'],
    ['an unknown kind', 'fail unit_A 1 MAYBE f why\nend\n', 'invalid'],
    ['reports with a request for a batch', 'extend unit_A 1\nlease 1 1 files p\nend\n', 'invalid'],
  ])('does not read %s', (_name, text, found) => {
    expect(parseBatchRequest(text)).toBe(found);
  });
});
