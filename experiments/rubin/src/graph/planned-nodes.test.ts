import { expect, it } from '@jest/globals';
import { plannedNodes } from './planned-nodes.js';

const quantum = (name: string, ...needs: string[]) => ({ name, label: 'isr', dataId: name, needs });

it('plans the nodes of an input once', () => {
  const input = { quanta: [quantum('b', 'a'), quantum('a')], labels: [{ label: 'isr', quantaPerJob: 2 }] };
  const nodes = plannedNodes(input);
  expect(nodes).toMatchObject({ nodes: [{ name: 'isr~0001', quanta: [{ name: 'a' }, { name: 'b' }] }] });
  expect(plannedNodes({ ...input })).toBe(nodes);
});

it('plans them again for other labels', () => {
  const quanta = [quantum('b', 'a'), quantum('a')];
  const names = (labels?: readonly { readonly label: string; readonly quantaPerJob: number }[]) => {
    const found = plannedNodes({ quanta, ...(labels ? { labels } : {}) });
    return 'nodes' in found && found.nodes.map(({ name }) => name);
  };
  expect(names()).toEqual(['a', 'b']);
  expect(names([{ label: 'isr', quantaPerJob: 2 }])).toEqual(['isr~0001']);
  expect(names()).toEqual(['a', 'b']);
});
