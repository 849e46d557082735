import { createRoot } from 'react-dom/client';
import { App } from './app.js';
import { proofOfTab } from './session/link-proof.js';
import { removeLinked, tokenOfTab } from './session/token.js';
import './styles.css';
import './workflow/workflow.css';

const { sessionStorage: storage, location } = window;
const linked = removeLinked('token', window);
const linkProof = proofOfTab(removeLinked('link', window), storage);
const place = document.getElementById('root');
if (place)
  createRoot(place).render(
    <App token={() => tokenOfTab(linked, { storage, location })} linkProof={linkProof} />,
  );
