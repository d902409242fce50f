/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/terminal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

/* Other screen, no cursor, cursor at the top left; and back. */
static const char enter_text[] = "\033[?1049h\033[?25l\033[H\033[2J", leave_text[] = "\033[0m\033[?25h\033[?1049l";

/* Signal handlers need them. */
static struct termios before, ours;
static int in_fd, out_fd;
static volatile sig_atomic_t entered;

static const int deadly[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGABRT, SIGSEGV, SIGBUS };
#define N_DEADLY (sizeof(deadly) / sizeof(deadly[0]))
static struct sigaction old[N_DEADLY], old_stop, old_resize;

/* All that follows here is allowed in a signal handler. */
static void write_text(const char *s, size_t len)
{
	while (len) {
		ssize_t n = write(out_fd, s, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		s += n;
		len -= (size_t)n;
	}
}

static void take_screen(void)
{
	entered = 1;
	tcsetattr(in_fd, TCSADRAIN, &ours);
	write_text(enter_text, sizeof(enter_text) - 1);
}

static void give_back(void)
{
	if (!entered)
		return;
	entered = 0;
	write_text(leave_text, sizeof(leave_text) - 1);
	tcsetattr(in_fd, TCSADRAIN, &before);
}

static void on_deadly(int sig)
{
	give_back();
	signal(sig, SIG_DFL);
	raise(sig); /* ends us when this handler returns */
}

static void on_stop(int sig)
{
	int saved = errno;

	(void)sig;
	give_back();
	raise(SIGSTOP);
	take_screen();
	errno = saved;
}

static void on_resize(int sig)
{
	(void)sig; /* it is enough that poll() returns */
}

static void handle_signals(void)
{
	struct sigaction sa = { .sa_handler = on_deadly };

	sigfillset(&sa.sa_mask);
	for (size_t i = 0; i < N_DEADLY; i++)
		sigaction(deadly[i], &sa, &old[i]);
	sa.sa_flags = SA_RESTART;
	sa.sa_handler = on_stop;
	sigaction(SIGTSTP, &sa, &old_stop);
	sa.sa_handler = on_resize;
	sigaction(SIGWINCH, &sa, &old_resize);
}

int terminal_enter(int in, int out)
{
	static bool at_exit;

	in_fd = in;
	out_fd = out;
	if (tcgetattr(in, &before) < 0)
		return -errno;
	ours = before;
	ours.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	ours.c_cc[VMIN] = 0;
	ours.c_cc[VTIME] = 0;
	if (!at_exit)
		atexit(terminal_leave);
	at_exit = true;
	handle_signals();
	take_screen();
	return 0;
}

void terminal_leave(void)
{
	if (!entered)
		return;
	give_back();
	for (size_t i = 0; i < N_DEADLY; i++)
		sigaction(deadly[i], &old[i], NULL);
	sigaction(SIGTSTP, &old_stop, NULL);
	sigaction(SIGWINCH, &old_resize, NULL);
}

void terminal_size(int out, unsigned *columns, unsigned *rows)
{
	struct winsize w;

	*columns = 80;
	*rows = 24;
	if (ioctl(out, TIOCGWINSZ, &w) < 0)
		return;
	if (w.ws_col)
		*columns = w.ws_col;
	if (w.ws_row)
		*rows = w.ws_row;
}

/* One more octet of what is there: of a key's sequence, or -1. */
static int next_octet(int in)
{
	struct pollfd p = { .fd = in, .events = POLLIN };
	unsigned char c;

	return poll(&p, 1, 0) == 1 && read(in, &c, 1) == 1 ? c : -1;
}

/* "ESC [ A" and "ESC [ 5 ~" and their like. */
static int sequence(int in)
{
	int c = next_octet(in), number = 0;

	if (c != '[' && c != 'O')
		return KEY_NONE;
	for (c = next_octet(in); c >= '0' && c <= '9'; c = next_octet(in))
		number = (number * 10 + c - '0') % 100;
	switch (c) {
	case 'A':
		return KEY_UP;
	case 'B':
		return KEY_DOWN;
	case 'H':
		return KEY_HOME;
	case 'F':
		return KEY_END;
	case '~':
		return number == 5 ? KEY_PAGE_UP : number == 6 ? KEY_PAGE_DOWN : KEY_NONE;
	default:
		return KEY_NONE;
	}
}

int terminal_key(int in)
{
	struct pollfd p = { .fd = in, .events = POLLIN };
	unsigned char c;
	ssize_t n;

	if (poll(&p, 1, 0) != 1)
		return KEY_NONE;
	n = read(in, &c, 1);
	if (n == 1)
		return c == '\033' ? sequence(in) : c;
	return n < 0 && (errno == EINTR || errno == EAGAIN) ? KEY_NONE : KEY_GONE;
}
