import { describe, expect, it } from '@jest/globals';
import { systemClock } from '@rhizome/clock';
import { InputErrors } from '@rhizome/errors';
import { TimeSlices } from '../../shared/time-slices.js';
import { maxEdges } from '../submit/graph-input.js';
import type { WorkflowErrorCode } from '../submit/workflow-errors.js';
import type { EdgeSpec, NodeSpec } from '../submit/workflow-spec.types.js';
import { planPart } from './part-input.js';

async function planOf(...nodes: readonly NodeSpec[]) {
  const errors = new InputErrors<WorkflowErrorCode>();
  const given = { nodes, labels: new Map() };
  const plan = await planPart(given, [], errors, new TimeSlices(systemClock, 10));
  return { plan, errors: errors.all.map(({ code, path }) => `${path.join('.')} ${code}`) };
}

const node = (name: string, ...parents: readonly string[]): NodeSpec => ({
  name,
  dependsOn: parents.map((parent) => ({ node: parent })),
});

describe('planPart', () => {
  it('counts edges, and the bytes of each name of a parent once', async () => {
    const { plan } = await planOf(node('a', 'b', 'é'), node('c', 'b'));
    expect(plan).toMatchObject({ edges: 3, edgeBytes: 3 * 8 + 3 });
  });

  it.each(['', 'a\n', ' a', 'a'.repeat(201)])(
    'refuses %j, which can be the name of no node',
    async (parent) => {
      expect((await planOf(node('a', 'b', parent))).errors).toEqual([
        'nodes.0.dependsOn.1.node INVALID_VALUE',
      ]);
    },
  );

  it('refuses a parent that occurs twice', async () => {
    expect((await planOf(node('a', 'b', 'b'))).errors).toEqual(['nodes.0.dependsOn.1.node INVALID_VALUE']);
  });

  it('refuses too many edges before it looks at one', async () => {
    const dependsOn = new Proxy<readonly EdgeSpec[]>([], {
      get: (edges, key) => {
        if (key === 'length') return maxEdges + 1;
        throw new Error(`${String(key)} of ${edges.length} edges was read`);
      },
    });
    expect((await planOf({ name: 'a', dependsOn })).errors).toEqual(['nodes WORKFLOW_TOO_LARGE']);
  });
});
