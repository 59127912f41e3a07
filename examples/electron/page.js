// The page: shows what the engine says. It runs in the sandboxed renderer and knows nothing of Node.
const talk = document.getElementById('talk');
const input = document.getElementById('text');
let id = Date.now(); // of the question asked last; none that an earlier page had
let answer;

function add(kind, text) {
  const line = document.createElement('div');
  line.className = kind;
  line.textContent = text;
  talk.append(line);
  return line;
}

function ready(hint) {
  input.placeholder = hint;
  input.disabled = false;
  input.focus();
}

const heard = new Map(
  Object.entries({
    progress: ({ phase, receivedBytes, totalBytes }) => {
      const share = totalBytes ? ` ${Math.round((100 * receivedBytes) / totalBytes)} %` : '';
      input.placeholder = `${phase}${share}`;
    },
    ready: ({ device }) => {
      add('note', device.name);
      ready('Ask something');
    },
    piece: ({ text }) => {
      answer.textContent += text;
      talk.scrollTop = talk.scrollHeight;
    },
    end: () => ready('Ask something'),
    error: ({ message }) => {
      add('note', message);
      ready('Ask something');
    },
    ended: ({ code }) => {
      add('note', `the engine's process ended with code ${code}; it is started again`);
      window.engine.send({ type: 'load' });
    },
  }),
);

window.engine.listen((message) => {
  const isOfOther = message.id !== undefined && message.id !== id; // of a page before this one
  if (!isOfOther) heard.get(message.type)?.(message);
});
window.engine.send({ type: 'load' });

document.getElementById('form').addEventListener('submit', (event) => {
  event.preventDefault();
  if (input.value.trim() === '') return;
  add('user', input.value);
  answer = add('model', '');
  window.engine.send({ type: 'chat', id: ++id, text: input.value });
  input.value = '';
  input.disabled = true;
});
document.getElementById('stop').addEventListener('click', () => {
  window.engine.send({ type: 'stop', id });
});
