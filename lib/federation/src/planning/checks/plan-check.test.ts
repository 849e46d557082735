import { describe, expect, it } from '@jest/globals';
import { Kind, type OperationDefinitionNode, parse } from 'graphql';
import { guards } from '../guards.js';
import { faultOf } from './plan-check.js';
import type { FetchNode, PathSegment, PlanNode } from '../plan-format.js';
import { readModel } from '../fallback/graph.js';

const model = readModel(
  parse(`
    enum join__Graph { A @join__graph(name: "a", url: "") B @join__graph(name: "b", url: "") }
    type Query @join__type(graph: A) @join__type(graph: B) { any: Any @join__field(graph: A) job: Job @join__field(graph: A) media: [Media] @join__field(graph: A) }
    interface Media @join__type(graph: A, key: "id") @join__type(graph: B, key: "id", isInterfaceObject: true) { id: ID! stars: Int @join__field(graph: B) }
    type Film implements Media @join__implements(graph: A, interface: "Media") @join__type(graph: A, key: "id") { id: ID! stars: Int @join__field }
    type Song implements Media @join__implements(graph: A, interface: "Media") @join__type(graph: A, key: "id") { id: ID! stars: Int @join__field }
    union Any @join__type(graph: A) @join__unionMember(graph: A, member: "Job") @join__unionMember(graph: A, member: "Task") = Job | Task
    type Job @join__type(graph: A, key: "id") @join__type(graph: B, key: "id") { id: ID! size(in: Int): Int @join__field(graph: A, type: "Int!") @join__field(graph: B) other: Job weight: Int @join__field(graph: B, requires: "size(in: 3)") }
    type Task @join__type(graph: A, key: "id") @join__type(graph: B, key: "id") { id: ID! size(in: Int): Int other: Task }
  `),
);

function client(query: string): OperationDefinitionNode {
  const [node] = parse(query).definitions;
  if (node?.kind !== Kind.OPERATION_DEFINITION) throw new Error('no operation');
  return node;
}

const root = (operation: string, serviceName = 'a'): FetchNode => ({ kind: 'Fetch', serviceName, operation });
const entity = (path: PathSegment[], selections: string, more: Partial<FetchNode> = {}): PlanNode => ({
  kind: 'Flatten',
  path,
  node: {
    kind: 'Fetch',
    serviceName: 'b',
    operation: `query($representations:[_Any!]!){_entities(representations: $representations){${selections}}}`,
    requires: [{ kind: 'InlineFragment', typeCondition: 'Job', selections: [{ kind: 'Field', name: 'id' }] }],
    ...more,
  },
});
const sequence = (...nodes: PlanNode[]): PlanNode => ({ kind: 'Sequence', nodes });
const job: PathSegment[] = [{ Field: 'job' }];
describe('faultOf', () => {
  const fine = sequence(root('{job{__typename id}}'), entity(job, '...on Job{size}'));

  it('returns undefined for a correct plan', () => {
    expect(faultOf(fine, client('{ job { size } }'), model)).toBeUndefined();
    expect(faultOf(null, client('{ job { size } }'), model)).toBeUndefined();
  });

  it('reports entities requested by a key that no earlier fetch has brought', () => {
    const keyless = sequence(root('{job{__typename}}'), entity(job, '...on Job{size}'));
    expect(faultOf(keyless, client('{ job { id size } }'), model)).toContain(guards['missing-keys'].fault);
    const elsewhere = sequence(
      root('{job{__typename id other{__typename}}}'),
      entity([...job, { Field: 'other' }], '...on Job{size}'),
    );
    expect(faultOf(elsewhere, client('{ job { other { size } } }'), model)).toContain(
      guards['missing-keys'].fault,
    );
  });

  it("reports an internal field merged into the key of a client's field", () => {
    const plan = sequence(root('{job{__typename id}}'), entity(job, '...on Job{size(in: 3)}'));
    expect(faultOf(plan, client('{ job { size } }'), model)).toContain('job.size');
  });

  it('reports a fetch of an interface object that covers only one of the requested types', () => {
    const media: PathSegment[] = [{ Field: 'media' }, '@'];
    const stars = (selections: string, typeCondition: string): PlanNode =>
      entity(media, `...on Media{${selections}}`, {
        requires: [{ kind: 'InlineFragment', typeCondition, selections: [{ kind: 'Field', name: 'id' }] }],
        inputRewrites: [
          {
            ValueSetter: {
              path: [{ TypenameEquals: ['Media'] }, { Key: '__typename' }],
              setValueTo: 'Media',
            },
          },
        ],
      });
    const fetched = root('{media{__typename id}}');
    const operation = client('{ media { ... on Film { c: stars } ... on Song { stars } } }');
    const fault = (...fetches: PlanNode[]) => faultOf(sequence(fetched, ...fetches), operation, model);
    expect(fault(stars('c: stars stars', 'Film'))).toContain(
      'only some of the types that it is selected on: media.stars',
    );
    expect(fault(stars('c: stars', 'Film'), stars('stars', 'Song'))).toBeUndefined();
    expect(fault(stars('c: stars stars', 'Media'))).toBeUndefined();
  });

  it('reports two internal fields merged under one key', () => {
    const plan = sequence(
      root('{job{__typename id}}'),
      entity(job, '...on Job{size(in: 3)}'),
      entity(job, '...on Job{size(in: 4)}'),
    );
    expect(faultOf(plan, client('{ job { id } }'), model)).toContain('job.size');
  });

  it('accepts a key that means different fields in two types', () => {
    const plan = sequence(root('{any{__typename ...on Job{x: id} ...on Task{x: id}}}'));
    expect(
      faultOf(plan, client('{ any { ... on Job { x: id } ... on Task { x: id } } }'), model),
    ).toBeUndefined();
  });

  it('reports a field fetched under a name that nothing selects', () => {
    const fetched = root('{job{__typename id size _internal_qp_alias_0: size(in: 3)}}');
    const lost = sequence(fetched, entity(job, '...on Job{other{id}}'));
    expect(faultOf(lost, client('{ job { size other { id } } }'), model)).toContain(
      guards['unused-alias'].fault,
    );
    const known = sequence(
      fetched,
      entity(job, '...on Job{weight}', {
        requires: [
          {
            kind: 'InlineFragment',
            typeCondition: 'Job',
            selections: [{ kind: 'Field', name: '_internal_qp_alias_0', alias: 'size' }],
          },
        ],
      }),
    );
    expect(faultOf(known, client('{ job { size weight } }'), model)).toBeUndefined();
  });

  it('reports a field sent instead of a required field with arguments', () => {
    const sent = (name: string) => ({
      requires: [
        {
          kind: 'InlineFragment' as const,
          typeCondition: 'Job',
          selections: [{ kind: 'Field' as const, name, ...(name === 'size' ? {} : { alias: 'size' }) }],
        },
      ],
    });
    const fetched = root('{job{__typename id size _internal_qp_alias_0: size(in: 3) x: size(in: 4)}}');
    const wrong = sequence(fetched, entity(job, '...on Job{weight}', sent('x')));
    const operation = client('{ job { size x: size(in: 4) weight } }');
    expect(faultOf(wrong, operation, model)).toBeDefined();
    const plain = sequence(root('{job{__typename id size}}'), entity(job, '...on Job{weight}', sent('size')));
    expect(faultOf(plain, operation, model)).toContain(guards['wrong-required-field'].fault);
    const right = sequence(fetched, entity(job, '...on Job{weight}', sent('_internal_qp_alias_0')));
    expect(faultOf(right, operation, model)).toBeUndefined();
  });

  it('reports that even if another fetch uses the name for a renamed field', () => {
    const plan = sequence(
      root('{job{__typename id _internal_qp_alias_0: other{id}}}'),
      entity(job, '...on Job{size _internal_qp_alias_0: size(in: 3)}'),
      entity(job, '...on Job{other{id}}', {
        requires: [
          { kind: 'InlineFragment', typeCondition: 'Job', selections: [{ kind: 'Field', name: 'size' }] },
        ],
      }),
    );
    const [first] = plan.kind === 'Sequence' ? plan.nodes : [];
    Object.assign(first ?? {}, {
      outputRewrites: [
        {
          KeyRenamer: {
            path: [{ Key: 'job' }, { Key: '_internal_qp_alias_0' }],
            renameKeyTo: 'other',
          },
        },
      ],
    });
    expect(faultOf(plan, client('{ job { size other { id } } }'), model)).toContain(
      guards['unused-alias'].fault,
    );
  });

  it.each([
    '{any{__typename ...on Job{size} ...on Task{size}}}',
    '{any{__typename ...a ...on Task{size}}} fragment a on Job {size}',
    '{any{__typename ...on Job{other{size}} ...on Task{other{...b}}}} fragment b on Task {size}',
  ])('reports fields of one key that the subgraph cannot merge: %s', (operation) => {
    expect(faultOf(root(operation), client('{ any { __typename } }'), model)).toContain(
      guards['conflicting-fields'].fault,
    );
  });

  it('accepts fields of one key for a subgraph where their types agree', () => {
    expect(
      faultOf(
        root('{any{__typename ...on Job{size} ...on Task{size}}}', 'b'),
        client('{ any { __typename } }'),
        model,
      ),
    ).toBeUndefined();
  });
});
