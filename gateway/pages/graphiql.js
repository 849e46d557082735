// GraphiQL as the gateway serves it: everything comes from this host, tokens stay in this tab.
import 'graphiql/style.css';
import { GraphiQL } from 'graphiql';
import { getOperationAST } from 'graphql';
import { createClient } from 'graphql-ws';
import { createElement } from 'react';
import { createRoot } from 'react-dom/client';

const workers = { json: 'json', graphql: 'graphql' };

window.MonacoEnvironment = {
  getWorker: (_id, label) => new window.Worker(`/graphiql/workers/${workers[label] ?? 'editor'}.worker.js`),
};

const endpoint = `${location.origin}/graphql`;
const keptToken = 'rhizome:token';

/** What the address says behind its `#`: a token and a first document. Neither is sent to anybody by the browser. */
function readFragment() {
  const given = new window.URLSearchParams(location.hash.slice(1));
  const token = given.get('token');
  if (token) window.sessionStorage.setItem(keptToken, token);
  // Neither the history nor a copied address keeps the token.
  if (location.hash) window.history.replaceState(null, '', location.pathname + location.search);
  return { token: token ?? window.sessionStorage.getItem(keptToken), query: given.get('query') ?? undefined };
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

/** A stream over a WebSocket of its own, which is closed with it. */
async function* follow(parameters, headers = {}) {
  const client = createClient({
    url: endpoint.replace(/^http/, 'ws'),
    connectionParams: headers,
    retryAttempts: 3,
  });
  try {
    yield* client.iterate(parameters);
  } catch (error) {
    // A closed socket says why by its code and its reason.
    if (typeof error?.code !== 'number') throw error;
    yield { errors: [{ message: `The connection was closed: ${error.code} ${error.reason}` }] };
  } finally {
    await client.dispose();
  }
}

function fetcher(parameters, { documentAST, headers } = {}) {
  // GraphiQL asks for the schema before its headers pane is there.
  if (parameters.operationName === 'IntrospectionQuery')
    return post(parameters, { ...prefilled, ...headers });
  const operation = documentAST && getOperationAST(documentAST, parameters.operationName);
  return operation?.operation === 'subscription' ? follow(parameters, headers) : post(parameters, headers);
}

const { token, query } = readFragment();
const prefilled = token ? { authorization: `Bearer ${token}` } : {};
const headers = JSON.stringify({ authorization: 'Bearer <token>', ...prefilled }, null, 2);

createRoot(document.getElementById('graphiql')).render(
  createElement(GraphiQL, {
    fetcher,
    initialHeaders: headers,
    defaultHeaders: headers,
    ...(query ? { initialQuery: query } : {}),
    defaultEditorToolsVisibility: 'headers',
    shouldPersistHeaders: false,
    showPersistHeadersSettings: false,
  }),
);
