// Takes the one-time link's token from behind the # (which browsers never send) into the form, out of the address bar and
// the history, and sends the form.

const token = location.hash.slice(1);
const form = document.querySelector("form[data-welcome]");
if (token && form) {
  history.replaceState(null, "", location.pathname);
  form.elements.token.value = token;
  form.requestSubmit();
}
