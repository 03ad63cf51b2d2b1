// Only this: the server answers a wrong password by a redirect to /login?wrong.
if (new URLSearchParams(location.search).has("wrong")) {
  document.getElementById("wrong").hidden = false;
  document.getElementById("password").setAttribute("aria-describedby", "wrong");
  document.getElementById("password").setAttribute("aria-invalid", "true");
}
