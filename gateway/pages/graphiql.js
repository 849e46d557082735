// GraphiQL as the gateway serves it: all files come from this host, and tokens stay in this tab.
import 'graphiql/style.css';
import { GraphiQL, HISTORY_PLUGIN } from 'graphiql';
import { getOperationAST } from 'graphql';
import { createClient } from 'graphql-ws';
import { createElement } from 'react';
import { createRoot } from 'react-dom/client';
import { planPlugin, PlanStore } from './plan-panel.js';
import { schemaPlugin, SchemaStore } from './schema-panel.js';

const workers = { json: 'json', graphql: 'graphql' };

window.MonacoEnvironment = {
  getWorker: (_id, label) => new window.Worker(`/graphiql/workers/${workers[label] ?? 'editor'}.worker.js`),
};

const endpoint = `${location.origin}/graphql`;
const keptToken = 'rhizome:token';

/** Token and first document behind the `#` of the address. The browser sends neither to a server. */
function readFragment() {
  const given = new window.URLSearchParams(location.hash.slice(1));
  const kept = window.sessionStorage.getItem(keptToken);
  // A link never replaces a token, and gives one on this machine only: anybody could send a link.
  const isLocal = /^(localhost|\[::1\]|127(\.\d+){3})$/.test(location.hostname);
  const token = kept ?? (isLocal ? given.get('token') : null);
  if (token) window.sessionStorage.setItem(keptToken, token);
  // Neither the history nor a copied address contains the token.
  if (location.hash) window.history.replaceState(null, '', location.pathname + location.search);
  return { token, query: given.get('query') ?? undefined };
}

async function post(parameters, headers) {
  const response = await fetch(endpoint, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/graphql-response+json, application/json',
      ...headers,
    },
    body: JSON.stringify(parameters),
  });
  return response.json();
}

/** A stream over its own WebSocket, which closes with it. */
async function* follow(parameters, headers = {}) {
  const client = createClient({
    url: endpoint.replace(/^http/, 'ws'),
    connectionParams: headers,
    retryAttempts: 3,
  });
  try {
    for await (const event of client.iterate(parameters)) yield plans.extract(event);
  } catch (error) {
    // A closed socket explains itself by its code and its reason.
    if (typeof error?.code !== 'number') throw error;
    yield { errors: [{ message: `The connection was closed: ${error.code} ${error.reason}` }] };
  } finally {
    await client.dispose();
  }
}

function fetcher(given, { documentAST, headers } = {}) {
  // GraphiQL asks for the schema before its headers pane is there.
  if (given.operationName === 'IntrospectionQuery')
    return post(schema.request(given), { ...prefilled, ...headers });
  const parameters = plans.isOn ? { ...given, extensions: { ...given.extensions, plan: true } } : given;
  const operation = documentAST && getOperationAST(documentAST, parameters.operationName);
  if (operation?.operation === 'subscription') return follow(parameters, headers);
  return post(parameters, headers).then((answer) => plans.extract(answer));
}

const plans = new PlanStore();
const schema = new SchemaStore();
const plugins = [HISTORY_PLUGIN, planPlugin(plans), schemaPlugin(schema)];
const { token, query } = readFragment();
const prefilled = token ? { authorization: `Bearer ${token}` } : {};
const headers = JSON.stringify({ authorization: 'Bearer <token>', ...prefilled }, null, 2);

createRoot(document.getElementById('graphiql')).render(
  createElement(GraphiQL, {
    fetcher,
    plugins,
    initialHeaders: headers,
    defaultHeaders: headers,
    ...(query ? { initialQuery: query } : {}),
    defaultEditorToolsVisibility: 'headers',
    shouldPersistHeaders: false,
    showPersistHeadersSettings: false,
  }),
);
