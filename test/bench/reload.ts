/**
 * Memory that a gateway keeps of supergraphs that it no longer serves, over hundreds of reloads with open
 * streams.
 */
import type { Bench } from './bench.types.js';
import { growthMiB, heldGrowthMiB, reload, settledAt } from './swap/reloads.js';

const reloads = 400;
const streams = 100;

/** Growth of each reload as a multiple of the text of the supergraph: the same on every machine. */
function inSupergraphs(growth: number, supergraphBytes: number): number {
  return (growth * 2 ** 20) / (reloads - settledAt) / supergraphBytes;
}

/** The benchmark `reload`. */
export const reloadBench: Bench = {
  name: 'reload',
  about: `${reloads} reloads of a supergraph of 150 kB with ${streams} open streams: memory, and planner processes`,
  async run({ progress }) {
    const result = await reload(reloads, streams);
    const settled = result.memory[settledAt - 1];
    const last = result.memory.at(-1);
    progress(`${result.delivered} events were delivered, none lost or doubled`);
    const name = `reload ${reloads} × ${Math.round(result.supergraphBytes / 1000)} kB`;
    return [
      { name: `${name}: growth since the ${settledAt}th`, value: growthMiB(result), unit: 'MiB' },
      {
        name: `${name}: growth for each reload since, in supergraphs`,
        value: inSupergraphs(growthMiB(result), result.supergraphBytes),
        unit: '×',
        goal: { value: 1.85, better: 'lower' },
      },
      { name: `${name}: of it held on to by the gateway`, value: heldGrowthMiB(result), unit: 'MiB' },
      {
        name: `${name}: of it held on to by the gateway for each reload, in supergraphs`,
        value: inSupergraphs(heldGrowthMiB(result), result.supergraphBytes),
        unit: '×',
        goal: { value: 0.37, better: 'lower' },
      },
      {
        name: `${name}: gateway after the ${settledAt}th`,
        value: settled?.ownMiB ?? Number.NaN,
        unit: 'MiB',
      },
      { name: `${name}: gateway at the end`, value: last?.ownMiB ?? Number.NaN, unit: 'MiB' },
      { name: `${name}: its planner at the end`, value: last?.plannersMiB ?? Number.NaN, unit: 'MiB' },
      {
        name: `${name}: planners' processes at the end`,
        value: last?.planners ?? Number.NaN,
        unit: '',
        goal: { value: 1, better: 'lower' },
      },
      {
        name: `${name}: events lost or doubled`,
        value: result.faults.length,
        unit: '',
        goal: { value: 0, better: 'lower' },
      },
    ];
  },
};
