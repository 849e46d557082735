import { describe, expect, it } from '@jest/globals';
import { InputErrors } from '@rhizome/errors';
import type { RequirementChecks } from '../../jobs/submit/requirement-checks.js';
import type { WorkflowErrorCode } from './workflow-errors.js';
import { checkHead, checkNodes, maxNodesPerCall } from './workflow-input.js';
import type { NodeLabelSpec, NodeSpec } from './workflow-spec.types.js';

const checks: RequirementChecks = {
  queue: () => undefined,
  selector: () => ({ ok: true }),
  continuity: undefined,
} as unknown as RequirementChecks;

async function messagesOf(
  nodes: readonly NodeSpec[],
  nodeLabels: readonly NodeLabelSpec[] = [],
): Promise<readonly string[]> {
  const errors = new InputErrors<WorkflowErrorCode>();
  const head = { experiment: 'alpha', name: 'test', idempotencyKey: 'key' };
  checkHead({ ...head, nodes, nodeLabels }, errors, checks);
  const labels = new Map(nodeLabels.map((label) => [label.label, label]));
  await checkNodes({ nodes, labels, counts: { min: 1, max: maxNodesPerCall } }, errors, checks);
  return errors.all.map(({ path, message }) => `${path.join('.')} ${message}`);
}

const payload = { command: 'true' };
const withNotice = (seconds: number) => ({ command: 'true', notice: { seconds } });

describe('names of nodes', () => {
  it.each(['a\ud800', ' a', 'a ', 'a\nb', ''])('refuses %j', async (name) => {
    expect(await messagesOf([{ name, payload }])).toHaveLength(1);
  });

  it.each(['a', 'a b', 'é/1', '\u{1f30d}'])('accepts %j', async (name) => {
    expect(await messagesOf([{ name, payload }])).toEqual([]);
  });
});

describe('checkNodes', () => {
  it.each<[string, NodeSpec, NodeLabelSpec, string | undefined]>([
    ['of a label', { name: 'a', label: 'x' }, { label: 'x', payload: withNotice(-5) }, 'nodeLabels.0'],
    [
      'of a node, with the walltime of its label',
      { name: 'a', label: 'x', payload: withNotice(3600) },
      { label: 'x', requirements: { walltimeSeconds: 86_400 } },
      undefined,
    ],
    [
      'of a label, with the walltime of a node',
      { name: 'a', label: 'x', requirements: { walltimeSeconds: 60 } },
      { label: 'x', payload: withNotice(300) },
      'nodes.0.payload.notice.seconds',
    ],
  ])('checks the notice that the job will have: %s', async (_what, node, label, path) => {
    const messages = await messagesOf([node], [label]);
    expect(messages).toHaveLength(path === undefined ? 0 : 1);
    if (path !== undefined) expect(messages[0]).toContain(path);
  });
});

describe('checkNodes, for nodes that may add others', () => {
  const mayAdd = { name: 'a', maxAddedNodes: 1, payload: { command: 'true', isTokenRequired: true } };

  it.each<[string, NodeSpec, string | undefined]>([
    ['with a token', mayAdd, undefined],
    ['without a token', { ...mayAdd, payload }, 'isTokenRequired'],
    ['that are final', { ...mayAdd, isFinal: true }, 'the node not final'],
  ])('checks them: %s', async (_what, node, text) => {
    const expected = text === undefined ? [] : [expect.stringContaining(text)];
    expect(await messagesOf([node])).toEqual(expected);
  });
});

describe('checkHead', () => {
  it('limits the payloads of labels', async () => {
    const payload = { command: 'true', arguments: ['x'.repeat(100_000)] };
    const labels = Array.from({ length: 168 }, (_, at) => ({ label: `x${at}`, payload }));
    const node = { name: 'a', payload: { command: 'true' } };
    expect(await messagesOf([node], labels.slice(1))).toEqual([]);
    expect(await messagesOf([node], labels)).toEqual([
      expect.stringMatching(/^nodeLabels .*must be at most 16777216 bytes of payloads of labels$/),
    ]);
  });
});
