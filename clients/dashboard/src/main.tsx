import { createRoot } from 'react-dom/client';
import { App } from './app.js';
import { removeLinkedToken, tokenOfTab } from './session/token.js';
import './styles.css';

const { sessionStorage: storage, location } = window;
const linked = removeLinkedToken(window);
const place = document.getElementById('root');
if (place) createRoot(place).render(<App token={() => tokenOfTab(linked, { storage, location })} />);
