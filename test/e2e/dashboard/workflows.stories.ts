// Workflows as graphs.
import { randomUUID } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { createGate } from '../system/gated-payload.js';
import { experiment } from '../system/jobs.js';
import { api, contrast, origin, signedIn, system } from './stage.js';

const workflowNode = (name: string, shell: string, parents: readonly string[] = []): object => ({
  name,
  payload: { command: 'sh', arguments: ['-c', shell] },
  retry: { maxAttempts: 1 },
  dependsOn: parents.map((node) => ({ node })),
});

async function submitWorkflow(name: string, nodes: readonly object[], rest: object = {}): Promise<string> {
  const { workflow } = await api.change<{ workflow: { id: string } }>(
    'submitWorkflow',
    { experiment, name, idempotencyKey: randomUUID(), nodes, ...rest },
    'workflow { id } userErrors { code }',
  );
  return workflow.id;
}

describe('the pages of workflows', () => {
  it('shows a workflow as a graph that moves, and a node with its reason and its job', async () => {
    const gate = createGate(system.data);
    const id = await submitWorkflow('a night', [
      workflowNode('fetch', gate.wait),
      workflowNode('broken', 'exit 3'),
      workflowNode('reduce', 'true', ['fetch', 'broken']),
      { ...workflowNode('collect', 'true'), isFinal: true },
    ]);
    const { page, requests, faults } = await signedIn('/workflows');
    await page.getByRole('table', { name: 'Workflows' }).getByRole('link', { name: 'a night' }).click();
    expect(page.url()).toBe(`${origin}/workflows/${id}`);
    const graph = page.getByRole('group', { name: /^Graph of the workflow/ });
    const node = (name: string) => graph.getByRole('button', { name: new RegExp(`^${name} `) });
    await node('reduce').and(page.locator('[data-state=SKIPPED]')).waitFor();
    await node('fetch').and(page.locator('[data-state=SUBMITTED]')).waitFor();
    // Three arrows: the final node waits for all, and has one from the last node before it.
    expect(await graph.locator('path.arrow').count()).toBe(3);
    gate.open();
    await node('collect').and(page.locator('[data-state=SUCCEEDED]')).waitFor();
    await page.getByText('FAILED', { exact: true }).first().waitFor();
    await node('fetch').focus();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    const details = page.getByRole('complementary', { name: 'Node' });
    await details.getByText('Node "broken", on which it depends, ended as FAILED').waitFor();
    await node('broken').click();
    await details.getByRole('button', { name: 'reduce' }).waitFor();
    await details.getByRole('link').click();
    await page.getByRole('heading', { name: 'broken', level: 1 }).waitFor();
    expect(page.url()).toContain(`${origin}/jobs/`);
    expect(requests.filter((url) => /dagre/.test(url))).toHaveLength(1);
    expect(faults).toEqual([]);
  });

  it('shows a large workflow by label and layer, and the nodes of a box when it is opened', async () => {
    const many = (label: string) =>
      Array.from({ length: 120 }, (_, at) => ({ ...workflowNode(`${label}-${at}`, 'true'), label }));
    const huge = { requirements: { memoryMiB: 16_000_000 } };
    const id = await submitWorkflow('a campaign', [...many('raw'), ...many('coadd')], {
      nodeLabels: ['raw', 'coadd'].map((label) => ({ label, ...huge })),
      groupEdges: [{ from: 'raw', to: 'coadd' }],
    });
    const { page, faults } = await signedIn(`/workflows/${id}`);
    const graph = page.getByRole('group', { name: /^Graph of the workflow/ });
    const raw = graph.getByRole('button', { name: /^raw layer 1 · 120 nodes/ });
    await raw.locator('[data-state=SUBMITTED]').getByText('120').waitFor();
    await raw.press('Enter');
    const marks = graph.locator('.node-mark');
    await marks.nth(99).waitFor();
    await graph.getByRole('button', { name: '100 more' }).click();
    await marks.nth(119).waitFor();
    expect(await marks.count()).toBe(120);
    const cancelled = { workflowId: id, nodes: ['raw-7'] };
    await api.change('cancelWorkflow', cancelled);
    await graph.getByRole('button', { name: 'raw-7: CANCELLED' }).click();
    await page.getByRole('complementary', { name: 'Node' }).getByText('CANCELLED').waitFor();
    await page.getByLabel('Nodes in boxes').selectOption('CANCELLED');
    await marks.nth(1).waitFor({ state: 'detached' });
    await raw.press('Enter');
    await marks.first().waitFor({ state: 'detached' });
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      for (const state of ['waiting', 'submitted', 'succeeded', 'failed', 'skipped', 'cancelled'])
        expect(await contrast(page, `.workflow-tools .glyph-${state}`, '--tone', 'main')).toBeGreaterThan(3);
      expect(await contrast(page, '.box-head .muted', 'color', '.box')).toBeGreaterThan(4.5);
    }
    await api.change('cancelWorkflow', { workflowId: id, isFinalIncluded: true });
    expect(faults).toEqual([]);
  });
});
