import { describe, expect, it } from '@jest/globals';
import type { RequiresNode, Rewrite } from '../planning/plan-format.js';
import { compileRequires } from './requires.js';
import { TypeRelations } from '../supergraph/type-relations.js';

const relations = new TypeRelations({ Node: ['Job', 'Task'], Owner: ['User', 'Group'] });
const typename: RequiresNode = { kind: 'Field', name: '__typename' };
const field = (name: string, alias?: string, selections?: RequiresNode[]): RequiresNode => ({
  kind: 'Field',
  name,
  ...(alias === undefined ? {} : { alias }),
  ...(selections ? { selections } : {}),
});
const on = (typeCondition: string, ...selections: RequiresNode[]): RequiresNode => ({
  kind: 'InlineFragment',
  typeCondition,
  selections,
});

function both(
  requires: RequiresNode[],
  entity: Record<string, unknown>,
  options: { rewrites?: Rewrite[]; complete?: boolean; conditions?: Record<string, boolean> } = {},
): unknown {
  const representer = compileRequires(requires, options.rewrites, relations);
  const conditions = options.conditions ?? {};
  const text = representer.text(entity, conditions, options.complete ?? false);
  if (text === undefined) return undefined;
  const parsed: unknown = JSON.parse(text);
  // The text for the wire and the object passed in process are equal.
  expect(representer.object(entity, conditions)).toEqual(parsed);
  return parsed;
}

describe('a representation', () => {
  const job = { __typename: 'Job', id: '1', size: null, extra: 1 };

  it.each<[string, RequiresNode[], Record<string, unknown>, unknown]>([
    [
      'has the type and the fields required',
      [on('Job', typename, field('id'))],
      job,
      { __typename: 'Job', id: '1' },
    ],
    [
      'keeps null, which is a value',
      [on('Job', field('id'), field('size'))],
      job,
      { __typename: 'Job', id: '1', size: null },
    ],
    [
      'leaves out what is not there',
      [on('Job', field('id'), field('nope'))],
      job,
      { __typename: 'Job', id: '1' },
    ],
    ['is none without any field but the type', [on('Job', typename, field('nope'))], job, undefined],
    ['may be the type alone where that is the key', [on('Job', typename)], job, { __typename: 'Job' }],
    ['is none for an object of another type', [on('Task', field('id'))], job, undefined],
    ['is none for an object that does not say its type', [on('Job', field('id'))], { id: '1' }, undefined],
    [
      'takes what an interface of the type requires',
      [on('Node', field('id'))],
      job,
      { __typename: 'Job', id: '1' },
    ],
    [
      'joins fragments that apply',
      [on('Node', field('id')), on('Job', field('extra')), on('Task', field('size'))],
      job,
      { __typename: 'Job', id: '1', extra: 1 },
    ],
    [
      'calls a field by its alias',
      [on('Job', field('_internal', 'extra'))],
      { __typename: 'Job', _internal: 'x"y' },
      { __typename: 'Job', extra: 'x"y' },
    ],
  ])('contains %s', (_name, requires, entity, expected) => {
    expect(both(requires, entity)).toEqual(expected);
  });

  it('includes nested objects and lists, each by its own type', () => {
    const requires = [
      on(
        'Job',
        field('id'),
        field('owners', undefined, [typename, on('User', field('mail')), on('Group', field('gid'))]),
      ),
    ];
    const owners = [
      { __typename: 'User', mail: 'm', gid: 1 },
      null,
      { __typename: 'Group', mail: 'n', gid: 2 },
      [{ __typename: 'Group', gid: 3 }],
    ];
    expect(both(requires, { __typename: 'Job', id: '1', owners })).toEqual({
      __typename: 'Job',
      id: '1',
      owners: [
        { __typename: 'User', mail: 'm' },
        null,
        { __typename: 'Group', gid: 2 },
        [{ __typename: 'Group', gid: 3 }],
      ],
    });
  });

  it('keeps objects that are scalars whole', () => {
    const labels = { a: [1, { b: null }] };
    expect(both([on('Job', field('labels'))], { __typename: 'Job', labels })).toEqual({
      __typename: 'Job',
      labels,
    });
  });

  it('has the type name that the interface object uses', () => {
    const rewrites: Rewrite[] = [
      { ValueSetter: { path: [{ TypenameEquals: ['Job'] }, { Key: '__typename' }], setValueTo: 'Node' } },
    ];
    expect(both([on('Job', field('id')), on('Task', field('id'))], job, { rewrites })).toEqual({
      __typename: 'Node',
      id: '1',
    });
    expect(
      both([on('Job', field('id')), on('Task', field('id'))], { __typename: 'Task', id: '2' }, { rewrites }),
    ).toEqual({ __typename: 'Task', id: '2' });
  });

  it('applies rewrites below its top level, too', () => {
    const rewrites: Rewrite[] = [
      { KeyRenamer: { path: [{ Key: 'owner' }, { Key: 'a' }], renameKeyTo: 'b' } },
    ];
    expect(
      both(
        [on('Job', field('owner', undefined, [field('a')]))],
        { __typename: 'Job', owner: { a: 1 } },
        { rewrites },
      ),
    ).toEqual({
      __typename: 'Job',
      owner: { b: 1 },
    });
  });

  it('is undefined if it must be complete and is not', () => {
    const requires = [on('Job', field('id'), field('owner', undefined, [field('mail')]))];
    expect(both(requires, { __typename: 'Job', id: '1', owner: {} }, { complete: true })).toBeUndefined();
    expect(both(requires, { __typename: 'Job', id: '1', owner: null }, { complete: true })).toEqual({
      __typename: 'Job',
      id: '1',
      owner: null,
    });
  });

  it('omits fragments that conditions switch off', () => {
    const guarded: RequiresNode = {
      kind: 'InlineFragment',
      typeCondition: 'Job',
      selections: [field('extra')],
      includeIf: 'x',
      skipIf: 'y',
    };
    const requires = [on('Job', field('id')), guarded];
    const of = (x: boolean, y: boolean): unknown => both(requires, job, { conditions: { x, y } });
    expect(of(true, false)).toEqual({ __typename: 'Job', id: '1', extra: 1 });
    expect(of(false, false)).toEqual({ __typename: 'Job', id: '1' });
    expect(of(true, true)).toEqual({ __typename: 'Job', id: '1' });
  });

  it('has equal texts for equal entities and distinguishes a number from a string', () => {
    const { text } = compileRequires([on('Job', field('id'))], undefined, relations);
    expect(text({ __typename: 'Job', id: 1 }, {}, false)).toBe(
      text({ id: 1, __typename: 'Job', more: 2 }, {}, false),
    );
    expect(text({ __typename: 'Job', id: 1 }, {}, false)).not.toBe(
      text({ __typename: 'Job', id: '1' }, {}, false),
    );
  });
});
