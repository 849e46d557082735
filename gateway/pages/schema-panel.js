// A panel of GraphiQL with a switch between the schema for users and the whole schema.
import { useGraphiQLActions } from '@graphiql/react';
import { createElement as h, useSyncExternalStore } from 'react';
import hiddenTags from './hidden-tags.json';

/** State of the panel: the schema for users or the whole schema. */
export class SchemaStore {
  #isWhole = false;
  #listeners = new Set();

  switch(isWhole) {
    this.#isWhole = isWhole;
    for (const listener of this.#listeners) listener();
  }

  /** Adds the tags that are left out to an introspection request. */
  request(given) {
    if (this.#isWhole) return given;
    return { ...given, extensions: { ...given.extensions, withoutTags: hiddenTags } };
  }

  subscribe = (listener) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  snapshot = () => this.#isWhole;
}

/** The panel as a plugin of GraphiQL. */
export function schemaPlugin(store) {
  function Icon() {
    return h(
      'svg',
      { viewBox: '0 0 24 24', width: 24, height: 24, fill: 'none', stroke: 'currentColor', strokeWidth: 1.5 },
      h('path', { d: 'M9 4h6v5H9zM3 15h6v5H3zM15 15h6v5h-6zM12 9v3M6 15v-3h12v3' }),
    );
  }
  function Content() {
    const { introspect } = useGraphiQLActions();
    const isWhole = useSyncExternalStore(store.subscribe, store.snapshot);
    return h(
      'section',
      { className: 'schema-panel' },
      h('div', { className: 'graphiql-doc-explorer-title' }, 'Schema'),
      h(
        'label',
        null,
        h('input', {
          type: 'checkbox',
          checked: isWhole,
          onChange: (event) => {
            store.switch(event.target.checked);
            void introspect();
          },
        }),
        ' show the whole schema',
      ),
      h(
        'p',
        null,
        'By default, fields for pilots, the schema registry, identities and the audit log are not shown. They can be run.',
      ),
    );
  }
  return { title: 'Schema', icon: Icon, content: Content };
}
