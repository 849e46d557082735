import { createRoot } from 'react-dom/client';
import { App } from './app.js';
import { takeToken } from './session/token.js';
import './styles.css';

const { sessionStorage, location, history } = window;
const place = document.getElementById('root');
if (place)
  createRoot(place).render(<App initialToken={takeToken({ storage: sessionStorage, location, history })} />);
