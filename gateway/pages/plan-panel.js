// A panel of GraphiQL that shows how the gateway ran the last operation: its plan as a tree, with times as
// bars.
import { createElement as h, useSyncExternalStore } from 'react';

/** State of the panel: whether plans are requested, and the latest one. */
export class PlanStore {
  #state = { isOn: false, plan: undefined };
  #listeners = new Set();

  get isOn() {
    return this.#state.isOn;
  }

  switch(isOn) {
    this.#set({ ...this.#state, isOn });
  }

  /** Removes the plan from a response. */
  extract(answer) {
    const plan = answer?.extensions?.plan;
    if (plan) this.#set({ ...this.#state, plan });
    return answer;
  }

  subscribe = (listener) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  snapshot = () => this.#state;

  #set(state) {
    this.#state = state;
    for (const listener of this.#listeners) listener();
  }
}

const ms = (value) => `${value.toFixed(value < 10 ? 2 : 1)} ms`;

/** A bar from start to end of a fetch within the whole time. */
function bar(node, totalMs) {
  const left = (node.startMs / totalMs) * 100;
  const width = Math.max(0.5, (node.durationMs / totalMs) * 100);
  return h(
    'div',
    { className: 'plan-track' },
    h('div', {
      className: node.errors ? 'plan-bar plan-failed' : 'plan-bar',
      style: { marginLeft: `${left}%`, width: `${width}%` },
    }),
  );
}

function times(node) {
  if (node.skipped) return `skipped: ${node.skipped}`;
  if (node.durationMs === undefined) return 'no response';
  const entities = node.entities === undefined ? '' : `, ${node.entities} entities`;
  const failed = node.errors ? `, ${node.errors} errors${node.code ? ` (${node.code})` : ''}` : '';
  return `${ms(node.durationMs)} from ${ms(node.startMs)}${entities}${failed}`;
}

function fetchStep(node, totalMs) {
  return h(
    'li',
    { className: 'plan-step', 'data-kind': node.kind, 'data-subgraph': node.subgraph },
    h('strong', null, node.subgraph),
    ' ',
    node.kind === 'Event' ? 'event' : times(node),
    node.paths ? h('div', { className: 'plan-paths' }, `for ${node.paths.join(', ')}`) : null,
    node.durationMs === undefined ? null : bar(node, totalMs),
    h('details', null, h('summary', null, 'operation'), h('pre', null, node.operation)),
  );
}

function step(node, totalMs, key) {
  if (!node) return null;
  if (node.nodes || node.kind === 'Condition') {
    const nodes = node.nodes ?? [node.then, node.else];
    const title =
      node.kind === 'Parallel'
        ? 'in parallel'
        : node.kind === 'Sequence'
          ? 'in sequence'
          : `if $${node.variable}`;
    return h(
      'li',
      { key, 'data-kind': node.kind },
      title,
      h(
        'ul',
        null,
        nodes.map((child, index) => step(child, totalMs, index)),
      ),
    );
  }
  return h('div', { key }, fetchStep(node, totalMs));
}

function planView(plan) {
  if (!plan) return h('p', null, 'Run an operation to see its plan.');
  if (plan.refused) return h('p', { className: 'plan-failed-text' }, plan.refused);
  const { totalMs, preparedMs, plannedMs, planner, cost, tree } = plan;
  return h(
    'div',
    { className: 'plan-view' },
    h(
      'p',
      null,
      `${ms(totalMs)} in total; ${ms(preparedMs)} to parse and validate, ${ms(plannedMs)} to plan; cost ${cost}; planner: ${planner}`,
    ),
    tree ? h('ul', null, step(tree, totalMs, 0)) : h('p', null, 'No service was called.'),
  );
}

/** The panel as a plugin of GraphiQL. */
export function planPlugin(store) {
  function Icon() {
    return h(
      'svg',
      { viewBox: '0 0 24 24', width: 24, height: 24, fill: 'none', stroke: 'currentColor', strokeWidth: 1.5 },
      h('path', { d: 'M4 5h9M7 10h11M7 15h7M11 20h9' }),
    );
  }
  function Content() {
    const { isOn, plan } = useSyncExternalStore(store.subscribe, store.snapshot);
    return h(
      'section',
      { className: 'plan-panel' },
      h('div', { className: 'graphiql-doc-explorer-title' }, 'Plan'),
      h(
        'label',
        null,
        h('input', {
          type: 'checkbox',
          checked: isOn,
          onChange: (event) => store.switch(event.target.checked),
        }),
        ' show how each operation is run',
      ),
      isOn ? planView(plan) : null,
    );
  }
  return { title: 'Plan', icon: Icon, content: Content };
}
